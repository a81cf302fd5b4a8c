// Package metric names the relay's own metrics in CloudWatch, for package telemetry, which writes them, and for the dashboard and the
// alarms, which read them: a name exists once.
//
// All are in Namespace and have the one dimension Relay, the stack's name; Refused is there once more for each reason, with the
// dimension Reason beside it. A metric is billed for each name and combination of dimensions that had a value in the month, and by
// nothing else: so there are few, and what can be read from another has no name of its own. The sample count of EndpointMs is the number
// of POSTs, and that of DeliveryAgeMs the number of deliveries that arrived.
package metric
