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
//     return at once. They reach the disk a few milliseconds later. If the process dies in between,
//     the message that caused them is still in its queue, because its acknowledgement comes later
//     in the same order. The stage then runs again. An effect never survives without its cause.
//   - A message that was being handled when the process died is handed out again at once. Its
//     receive count is one higher, so a message that kills the process ends in the dead-letter
//     queue. The receive count reaches the disk within a few milliseconds. If the process dies
//     before that, the receive is not counted.
//   - If a write fails, for example because the disk is full, the store is broken. Every later
//     operation returns the error, and Done is closed. The host must stop. After a restart the
//     state is what was on disk.
//   - If the journal is damaged before its end, the store is not opened (ErrDamaged). A torn end,
//     from a death in the middle of a write, is dropped: nobody was told that it is safe.
//
// Not promised: the order of messages, except in ordered queues; and fairness between the messages
// of one group.
//
// # How it works
//
// The host writes each change to the journal, two files that are used in turn, and keeps it in
// memory (the overlay). Twice a second it writes the overlay to SQLite. Most messages are sent and
// acknowledged within that time, so SQLite never gets them. A lookup searches the overlay first and
// then SQLite. After a death the next process that opens the directory writes to SQLite what the
// journal has and SQLite lacks. SQLite holds the number of the last record that it has.
//
// One goroutine writes the journal. It writes the records that have gathered as one frame, makes
// them durable with one fdatasync, and tells everybody who waits. A file of the journal is used
// again when SQLite has all its records, durably. A file begins with a list of the messages in
// flight.
//
// Another goroutine owns the connection that writes to SQLite. It opens a transaction, writes the
// overlay, and executes the operations that are waiting: changes of the catalog, large bodies,
// states of endpoints, listings. Such an operation therefore finds all earlier changes in SQLite.
// It commits when one of them waits for that, or after a few milliseconds. SQLite commits a change
// only after the journal has it on disk. If such an operation has written something, the next frame
// of the journal waits until SQLite's log is durable too, so the order holds over both.
//
// SQLite's synchronous=FULL would call fdatasync on its log within each COMMIT. So commits run with
// synchronous=NORMAL, which omits that call, and a third goroutine makes it for the operations that
// wait for the disk. A fourth copies the log into the file (a checkpoint) at the same time.
//
// Leases of messages live in memory, because the lock file makes this process the only consumer.
// The lists of ready and of delayed messages are in memory too. Bodies are cached there up to a
// limit. No consumer ever polls.
//
// Several processes may open one directory. A process that is not the host writes to SQLite
// directly. An operator can therefore change the catalog or redrive dead messages while the host
// runs. The host sees a message from another process within a second, and another process sees what
// the host has accepted within a second.
package sqlite
