// Package cost tells what a relay costs: a dated table of AWS's list prices, and the arithmetic from what was used to money.
//
//	bill := cost.Of(usage)                       // of the run that was measured
//	bill.PerMillion()                            // USD for a million events
//
// The usage comes from a run of the deployed template (package deployed; make cost), which counts calls as AWS bills them: SQS by chunks
// of 64 KiB, DynamoDB by request units, indexes among them. What a run on one machine cannot know is assumed, and stated: how long AWS's
// services and an endpoint take to answer, how much slower Lambda's share of a processor is, and what Lambda and API Gateway log.
// Tables writes both for docs/cost.md.
//
// Free tiers, volume discounts, support and taxes are left out, and so is what costs nothing per event; Fixed has that.
package cost
