package deployed

import "webhook-relay/shared/lab/cost"

// Meter exports, for tests, the meter of a stack's calls.
type Meter struct{ *meter }

func NewMeter() Meter { return Meter{newMeter()} }

func (m Meter) Read() (calls map[string]cost.Calls, stored, objects int) { return m.read() }
