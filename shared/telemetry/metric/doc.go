// Package metric names the relay's own metrics in CloudWatch. Package telemetry writes them. The
// dashboard and the alarms read them. So each name exists once.
//
// All metrics are in Namespace and have the one dimension Relay, the stack's name. Refused also
// exists once for each reason, with the additional dimension Reason. A metric is billed for each
// name and combination of dimensions that had a value in the month, and for nothing else. So there
// are few, and a number that another metric contains has no name of its own: the sample count of
// EndpointMs is the number of POSTs, and that of DeliveryAgeMs is the number of deliveries that
// arrived.
package metric
