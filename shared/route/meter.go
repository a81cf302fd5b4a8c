package route

// The limit for the work of a match, in steps. A step is one condition tried on one value, or an
// equal amount of work: one element of an array, or eight bytes searched by a wildcard.
const (
	// StepsPerByte is the number of steps for each byte of an event's document.
	StepsPerByte = 1
	// BaseSteps is the number of steps for every event.
	BaseSteps = 4 << 20
)

// meter counts the remaining steps. Results have no meaning once it is negative.
type meter struct{ left int }

// spend uses up n steps and tells whether that many were left.
func (m *meter) spend(n int) bool {
	m.left -= n
	return m.left >= 0
}

func (m *meter) exceeded() bool { return m.left < 0 }
