// Package s3 keeps large bodies in Amazon S3, since they do not fit into a queue's message (the
// claim check pattern).
//
//	bodies := s3.New(s3.NewBucket(cfg, name))
//
// An object can be read as soon as Put has returned (S3 is strongly consistent). A CRC-32 guards
// its bytes in both directions. This package never deletes objects. The bucket's lifecycle rule
// deletes them, after the longest time that an event can still be delivered or replayed.
//
// S3 reports that an object is missing only if the caller has s3:ListBucket on the bucket, beside
// s3:GetObject. Without it the answer is "access denied", which Get returns unchanged.
package s3
