package breaker

import (
	"time"

	"webhook-relay/shared/relay/format"
)

// endpointDoc is the JSON form of a State.
type endpointDoc struct {
	Version      int       `json:"v"`
	Failures     int       `json:"failures,omitempty"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	OpenUntil    time.Time `json:"openUntil,omitzero"`
	Openings     int       `json:"openings,omitempty"`
	ClosedAt     time.Time `json:"closedAt,omitzero"`
	PausedUntil  time.Time `json:"pausedUntil,omitzero"`
	StoppedAt    time.Time `json:"stoppedAt,omitzero"`
	WarnedAt     time.Time `json:"warnedAt,omitzero"`
	DisabledAt   time.Time `json:"disabledAt,omitzero"`
	Reason       string    `json:"reason,omitempty"`
	Proof        *proofDoc `json:"proof,omitempty"`
	Unproven     string    `json:"unproven,omitempty"`
	FailedAt     time.Time `json:"failedAt,omitzero"`
	TookMs       int64     `json:"tookMs,omitempty"`
	TookAt       time.Time `json:"tookAt,omitzero"`
	SlowUntil    time.Time `json:"slowUntil,omitzero"`
	SlowAt       time.Time `json:"slowAt,omitzero"`
	SlowSeen     int       `json:"slowSeen,omitempty"`
}

type proofDoc struct {
	Of   string    `json:"of"`
	At   time.Time `json:"at"`
	Rate int       `json:"ratePerMinute,omitempty"`
}

// Encode returns s in the form that ledgers keep.
func Encode(s State) []byte {
	doc := endpointDoc{Version: format.Version, Failures: s.Failures, FailingSince: s.FailingSince,
		OpenUntil: s.OpenUntil, Openings: s.Openings, ClosedAt: s.ClosedAt,
		PausedUntil: s.PausedUntil, StoppedAt: s.StoppedAt, WarnedAt: s.WarnedAt,
		DisabledAt: s.DisabledAt, Reason: s.Reason, Proof: nil, Unproven: s.Unproven,
		FailedAt: s.FailedAt, TookMs: s.Took.Milliseconds(), TookAt: s.TookAt,
		SlowUntil: s.SlowUntil, SlowAt: s.SlowAt, SlowSeen: s.SlowSeen}
	if s.Proof != (Proof{}) {
		doc.Proof = &proofDoc{Of: s.Proof.Of, At: s.Proof.At, Rate: s.Proof.Rate}
	}
	return format.Encode(doc)
}

// Decode reads what Encode of this or an earlier version wrote. Error: ErrFormat.
func Decode(b []byte) (State, error) {
	var d endpointDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return State{}, err
	}
	s := State{Failures: d.Failures, FailingSince: d.FailingSince.UTC(),
		OpenUntil: d.OpenUntil.UTC(), Openings: d.Openings,
		ClosedAt: d.ClosedAt.UTC(), PausedUntil: d.PausedUntil.UTC(),
		StoppedAt: d.StoppedAt.UTC(), WarnedAt: d.WarnedAt.UTC(),
		DisabledAt: d.DisabledAt.UTC(),
		Reason:     d.Reason, Unproven: d.Unproven, FailedAt: d.FailedAt.UTC(),
		Took: time.Duration(d.TookMs) * time.Millisecond, TookAt: d.TookAt.UTC(),
		SlowUntil: d.SlowUntil.UTC(), SlowAt: d.SlowAt.UTC(), SlowSeen: d.SlowSeen}
	if d.Proof != nil {
		s.Proof = Proof{Of: d.Proof.Of, At: d.Proof.At.UTC(), Rate: d.Proof.Rate}
	}
	return s, nil
}
