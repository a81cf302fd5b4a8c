// Package cost computes what a relay costs: a dated table of AWS's list prices, and the arithmetic
// from usage to money.
//
//	bill := cost.Of(usage)                       // of the run that was measured
//	bill.PerMillion()                            // USD for a million events
//
// The usage comes from a run of the deployed template (package deployed; make cost). It counts
// calls as AWS bills them: SQS by chunks of 64 KiB, DynamoDB by request units, including indexes.
// Some values cannot be measured on one machine. They are assumed, and the page says so: how long
// AWS's services and an endpoint take to answer, and how much slower Lambda's share of a processor
// is. Logs are measured: they are what the functions write. Lambda and API Gateway log nothing
// about successful requests unless a setting asks for it. Tables writes usage and assumptions for
// docs/cost.md.
//
// Free tiers, volume discounts, support and taxes are left out. So are costs that do not depend on
// events; Fixed has those.
package cost
