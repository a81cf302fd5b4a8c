package route

// The bound on the work of a match, in steps. A step is a condition held against a value, or as
// much: an element of an array that is looked at, eight bytes that a wildcard is looked for in.
const (
	// StepsPerByte is how many steps each byte of an event's document adds.
	StepsPerByte = 1
	// BaseSteps is how many steps every event has.
	BaseSteps = 4 << 20
)

// meter counts the steps that are left. What is found out once there are none means nothing.
type meter struct{ left int }

// spend takes n steps and tells whether there were as many.
func (m *meter) spend(n int) bool {
	m.left -= n
	return m.left >= 0
}

func (m *meter) exceeded() bool { return m.left < 0 }
