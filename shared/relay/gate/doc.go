// Package gate decides whether an endpoint may be called now.
//
//	a, err := g.Admit(ctx, limits, reserved)
//	// a.Held: not now, come back then. Else make the attempt, and
//	change, err := g.Tell(ctx, endpoint, verdict)
//	g.Release(ctx, endpoint, a)
//
// It combines a circuit breaker (package breaker), pauses that the endpoint asks for, a rate limit, a concurrency limit, the proof that an
// endpoint owes before its first delivery, and which endpoints are slow. All instances of a function share each of them through the ports
// EndpointStates, Quotas and Slots. It knows nothing of events and deliveries.
package gate
