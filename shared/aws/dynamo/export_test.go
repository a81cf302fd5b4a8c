package dynamo

// LookAtMost sets at how many events a page of EventsIn looks, about. It is for tests.
func (l *Ledger) LookAtMost(n int) { l.most = n }

// The format of the attribute Listed, for tests.
var (
	AppendKeys = appendKeys
	ParseKeys  = parseKeys
)
