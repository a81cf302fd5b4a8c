// Package destination knows the AWS services to which an endpoint can send in place of a URL. It
// makes the request for an event, and reads what the service answers. It does no I/O: package
// egress signs the request and sends it.
//
//	d, err := destination.Parse("arn:aws:sqs:eu-central-1:123456789012:orders.fifo")
//	request, err := d.Request(message, options)
//	result := d.Read(answer) // of the signed request
//
// Each kind is one request: no client of a service is linked. The formats are those of the
// services' API references, which the functions of each kind name.
//
// An answer of 200 is a failure if it says that the one event in it failed. What is throttled, what
// is not allowed, and what is too large are told apart: see [Result].
package destination
