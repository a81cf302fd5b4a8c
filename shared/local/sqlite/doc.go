// Package sqlite holds the embedded adapters of the relay: its queues, its tables and its bodies in
// one SQLite file, in pure Go.
//
//	store, err := sqlite.Open(dir)                        // dir/relay.db, made if absent
//	err = store.Host()                                    // this process runs the queues; ErrInUse if another one does
//	dead, err := store.Queue("ingest-dlq", sqlite.QueueOptions{})
//	ingest, err := store.Queue("ingest", sqlite.QueueOptions{DeadLetter: dead, MaxReceives: 5, Durable: true})
//	err = ingest.Consume(ctx, sqlite.ConsumerOptions{}, handler)   // as Lambda's event source mapping does; drains when ctx ends
//
// # What is promised
//
//   - A message that a durable queue has accepted, and everything written before it, outlives kill
//     -9 and a power cut.
//   - Everything else takes effect in the order in which it was written. RecordEvent, SaveDelivery,
//     the Sends of other queues and the acknowledgement of a message are answered as soon as they
//     are executed, a few milliseconds before they are on disk. If the process dies in between, the
//     message that caused them is still in its queue, since its acknowledgement comes later in the
//     same order. So a stage is run again, and never does an effect survive without its cause.
//   - A message that was being handled when the process died is handed out again at once, with
//     Receives one higher, so that one which kills the process ends in the dead-letter queue. (If
//     the process dies within the few milliseconds before that count is on disk, it is not
//     counted.)
//   - If a write fails, a full disk for one, the store is broken: every operation from then on
//     returns the error, and Done is closed. The host must stop; after a restart all is as it was
//     on disk.
//
// Not promised: order between messages but in ordered queues, and fairness between the messages of
// one group.
//
// # How it works
//
// One goroutine owns the connection that writes. It opens a transaction, executes whatever
// operations are waiting, and commits when something that must be durable is in, or after a few
// milliseconds. Another goroutine makes commits durable: SQLite's synchronous=FULL would call
// fdatasync on the log within each COMMIT and hold up all other work meanwhile. Instead commits run
// with synchronous=NORMAL, which leaves that call out, and it is made here while the next
// transaction is being executed. The order of the log makes the two equal. A third goroutine copies
// the log into the file (a checkpoint) beside them.
//
// Leases of messages live in memory, since the lock file makes this process the only consumer; what
// is ready and what is due when is kept in memory too, bodies only up to a bound. No consumer ever
// polls.
//
// Several processes may open one directory, so that an operator can change the catalog or send dead
// messages again while the host runs. The host sees a message that another process sent within a
// second.
package sqlite
