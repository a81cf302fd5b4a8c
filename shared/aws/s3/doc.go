// Package s3 keeps large bodies in Amazon S3: the claim check of what does not fit into a queue's message.
//
//	bodies := s3.New(s3.Client(cfg), bucket)
//
// An object is readable by every key holder as soon as Put has returned (S3 is strongly consistent), and its bytes are guarded by a
// CRC-32 in both directions. Objects are never deleted here: the bucket's lifecycle does that, after the longest time that an
// event can still be delivered or replayed.
//
// To tell that an object is missing, S3 wants the permission s3:ListBucket on the bucket beside s3:GetObject; without it the answer
// is "access denied", which Get returns as it is.
package s3
