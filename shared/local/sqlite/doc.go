// Package sqlite holds the embedded adapters of the relay. It keeps the relay's queues, tables and
// bodies in one SQLite file, in pure Go.
//
//	store, err := sqlite.Open(dir)                        // dir/relay.db, made if absent
//	err = store.Host()                                    // this process runs the queues; ErrInUse if another one does
//	dead, err := store.Queue("ingest-dlq", sqlite.QueueOptions{})
//	ingest, err := store.Queue("ingest", sqlite.QueueOptions{DeadLetter: dead, MaxReceives: 5, Durable: true})
//	err = ingest.Consume(ctx, sqlite.ConsumerOptions{}, handler)   // as Lambda's event source mapping does; drains when ctx ends
//
// # What is promised
//
//   - A message that a durable queue has accepted survives kill -9 and a power cut. So does
//     everything written before it.
//   - All other writes take effect in the order in which they were written. RecordEvent,
//     SaveDelivery, a Send to a queue that is not durable and the acknowledgement of a message
//     return as soon as they are executed. They reach the disk a few milliseconds later. If the
//     process dies in between, the message that caused them is still in its queue, because its
//     acknowledgement comes later in the same order. The stage then runs again. An effect never
//     survives without its cause.
//   - A message that was being handled when the process died is handed out again at once. Its
//     receive count is one higher, so a message that kills the process ends in the dead-letter
//     queue. The receive count reaches the disk within a few milliseconds. If the process dies
//     before that, the receive is not counted.
//   - If a write fails, for example because the disk is full, the store is broken. Every later
//     operation returns the error, and Done is closed. The host must stop. After a restart the
//     state is what was on disk.
//
// Not promised: the order of messages, except in ordered queues; and fairness between the messages
// of one group.
//
// # How it works
//
// One goroutine owns the connection that writes. It opens a transaction and executes the operations
// that are waiting. It commits when one of them must be durable, or after a few milliseconds.
//
// A second goroutine makes commits durable. SQLite's synchronous=FULL would call fdatasync on the
// log within each COMMIT, and all other work would wait. So commits run with synchronous=NORMAL,
// which omits that call, and the second goroutine makes the call while the first executes the next
// transaction. The log is written in order, so the result is the same.
//
// A third goroutine copies the log into the file (a checkpoint) at the same time.
//
// Leases of messages live in memory, because the lock file makes this process the only consumer.
// The lists of ready and of delayed messages are in memory too. Bodies are cached there up to a
// limit. No consumer ever polls.
//
// Several processes may open one directory. An operator can therefore change the catalog or redrive
// dead messages while the host runs. The host sees a message from another process within a second.
package sqlite
