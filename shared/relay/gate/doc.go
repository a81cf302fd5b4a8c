// Package gate decides whether an endpoint may be called now.
//
//	a, err := g.Admit(ctx, limits, reserved)
//	// If a.Held is set: not now, come back at that time. Else make the attempt, and
//	change, err := g.Tell(ctx, endpoint, verdict)
//	g.Release(ctx, endpoint, a)
//
// It combines a circuit breaker (package breaker), pauses that the endpoint asks for, a rate limit,
// a concurrency limit, the proof that an endpoint must give before its first delivery, and a
// measure of which endpoints are slow. All instances of a function share this state through the
// ports EndpointStates, Quotas and Slots.
//
// It guarantees the limits over all instances together. It does not know events or deliveries, and
// it sends nothing: the caller holds the delivery and brings it back.
package gate
