package destination_test

import (
	"strings"
	"testing"

	"webhook-relay/shared/destination"
)

// documented are the errors that the services' references list for the calls of this package, and
// what they mean for a delivery. A code that is not said to be another is Failed: somebody may
// mend the resource, so it is retried.
//
//	https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
//	https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
//	https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
//	https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
//	https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
//	https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
//	https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
//	https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html
//	https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
//	https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
var documented = map[string]map[destination.Verdict]string{
	queue: {
		destination.Failed: `InvalidAddress InvalidMessageContents InvalidSecurity KmsDisabled
			KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired QueueDoesNotExist
			UnsupportedOperation InternalFailure InternalError`,
		destination.Throttled: "RequestThrottled KmsThrottled OverLimit ThrottlingException",
		destination.Denied:    "KmsAccessDenied AccessDeniedException AccessDenied",
		destination.TooLarge:  "BatchRequestTooLong",
	},
	topic: {
		destination.Failed: `EndpointDisabled InternalError InvalidParameter ParameterValueInvalid
			InvalidSecurity KMSDisabled KMSInvalidState KMSNotFound KMSOptInRequired NotFound
			PlatformApplicationDisabled ValidationException`,
		destination.Throttled: "KMSThrottling Throttled Throttling",
		destination.Denied:    "AuthorizationError KMSAccessDenied AccessDenied",
	},
	bus: {
		destination.Failed: `InternalFailure InternalException InvalidAccountIdException
			InvalidArgument MalformedDetail RedactionFailure ResourceNotFoundException`,
		destination.Throttled: "ThrottlingException",
		destination.Denied: `AccessDeniedException NotAuthorizedForSourceException
			NotAuthorizedForDetailTypeException`,
	},
	function: {
		destination.Failed: `EC2AccessDeniedException EC2UnexpectedException EFSIOException
			EFSMountConnectivityException EFSMountFailureException EFSMountTimeoutException
			ENILimitReachedException InvalidParameterValueException InvalidRequestContentException
			InvalidRuntimeException InvalidSecurityGroupIDException InvalidSubnetIDException
			InvalidZipFileException KMSDisabledException KMSInvalidStateException
			KMSNotFoundException RecursiveInvocationException ResourceConflictException
			ResourceNotFoundException ResourceNotReadyException ServiceException SnapStartException
			SnapStartNotReadyException SnapStartTimeoutException
			SubnetIPAddressLimitReachedException UnsupportedMediaTypeException`,
		destination.Throttled: "TooManyRequestsException EC2ThrottledException",
		destination.Denied:    "AccessDeniedException KMSAccessDeniedException",
		destination.TooLarge:  "RequestTooLargeException",
	},
	machine: {
		destination.Accepted: "ExecutionAlreadyExists",
		destination.Failed: `InvalidArn InvalidExecutionInput InvalidName KmsInvalidStateException
			StateMachineDeleting StateMachineDoesNotExist StateMachineTypeNotSupported
			ValidationException`,
		destination.Throttled: "ExecutionLimitExceeded KmsThrottlingException ThrottlingException",
		destination.Denied:    "KmsAccessDeniedException AccessDeniedException",
	},
	stream: {
		destination.Failed: `InternalFailureException InvalidArgumentException KMSDisabledException
			KMSInvalidStateException KMSNotFoundException KMSOptInRequired
			ResourceNotFoundException`,
		destination.Throttled: "ProvisionedThroughputExceededException KMSThrottlingException",
		destination.Denied:    "AccessDeniedException KMSAccessDeniedException",
	},
	delivery: {
		destination.Failed: `InvalidArgumentException InvalidKMSResourceException
			InvalidSourceException ResourceNotFoundException`,
		destination.Throttled: "ServiceUnavailableException",
		destination.Denied:    "AccessDeniedException",
	},
	bucket: {
		destination.Failed: `AccountProblem BadDigest EncryptionTypeMismatch ExpiredToken
			IncompleteBody InternalError InvalidAccessKeyId InvalidBucketState InvalidDigest
			InvalidRequest KeyTooLongError MetadataTooLarge NoSuchBucket OperationAborted
			PermanentRedirect RequestTimeout RequestTimeTooSkewed SignatureDoesNotMatch
			KMS.DisabledException KMS.InvalidStateException KMS.NotFoundException`,
		destination.Throttled: "SlowDown ServiceUnavailable ThrottlingException",
		destination.Denied:    "AccessDenied AllAccessDisabled",
		destination.TooLarge:  "EntityTooLarge",
	},
	group: {
		destination.Accepted: "DataAlreadyAcceptedException ResourceAlreadyExistsException",
		destination.Failed: `InvalidParameterException InvalidSequenceTokenException
			OperationAbortedException ResourceNotFoundException UnrecognizedClientException`,
		destination.Throttled: "ServiceUnavailableException ThrottlingException",
		destination.Denied:    "AccessDeniedException",
	},
}

// TestDocumentedErrors reads every documented error, in the form in which its service sends it.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	for arn, codes := range documented {
		d := parsed(t, arn)
		for want, list := range codes {
			for _, code := range strings.Fields(list) {
				a := destination.Answer{
					Status: 400, Header: func(string) string { return "" },
					Body: []byte(`{"__type":"com.amazonaws.x#` + code + `","message":"why"}`),
				}
				switch d.Kind {
				case destination.Events: // of the entry
					a.Status, a.Body = 200, []byte(
						`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"`+code+`"}]}`,
					)
				case destination.SNS, destination.S3:
					a.Body = []byte(s3Error(code, "why"))
				case destination.Lambda:
					a.Body = []byte(`{"Message":"why"}`)
					a.Header = func(name string) string {
						return map[string]string{"x-amzn-errortype": code + ":http://x"}[name]
					}
				default:
				}
				got := d.Read(a, destination.Options{})
				if got.Verdict != want || want != destination.Accepted && got.Code != code {
					t.Errorf("%s: %s is %+v, want %d", d.Kind, code, got, want)
				}
			}
		}
	}
	if len(documented) != len(destination.Kinds()) {
		t.Errorf("there are %d kinds, and %d are here", len(destination.Kinds()), len(documented))
	}
}
