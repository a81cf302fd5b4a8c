// Package listen lets people receive copies of events on their own machines, while they develop.
//
//	listeners := listen.New(listen.Config{Documents: …, Marks: …, Queues: …})
//	l, err := listeners.Add(ctx, listen.Listener{Types: []string{"push"}})
//
// A listener has a temporary queue, which the fan-out fills. So events are kept while the machine
// of the listener sleeps. A copy is no delivery: it has no record, no retry and no alarm, and it
// changes nothing for deliveries. A copy that cannot be sent is dropped. A copy may arrive twice,
// so receivers drop those whose event they have seen: see [Copy].
//
// All listeners are one small document, the list. So their number is limited exactly, and an
// instance learns of all of them by one read. A mark beside the operator's catalog tells whether
// the list need be read at all: see catalog.Listening. An instance reads the mark with the catalog,
// and the list every [Refresh] while the mark is set.
//
// A listener whose owner is gone stops being filled when its time has passed. A day later the sweep
// removes it with its queue.
package listen
