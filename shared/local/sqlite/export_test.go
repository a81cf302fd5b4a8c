package sqlite

// ReadRecords reads the records of a frame and returns how many there are.
func ReadRecords(records []byte) (n int, err error) {
	r := recordReader{rest: records}
	o, leases := newOverlay(), map[int64]struct{}{}
	for ; len(r.rest) > 0; n++ {
		if err := r.replay(o, leases); err != nil {
			return n, err
		}
	}
	return n, nil
}

// SomeRecords returns one record of each kind.
func SomeRecords() []byte {
	b := appendSend(
		nil, "ingest", message{id: 2, group: "g", named: true, name: "n", body: []byte("b")},
	)
	b = appendIDs(b, recordReceive, []int64{2, 4})
	b = appendRemove(b, "ingest", 2)
	b = appendAgain(b, "ingest", 4, 3, 1<<40)
	b = appendEvent(b, eventRow{id: "evt_a", source: "s", record: []byte("{}"), body: []byte("b")})
	b = appendDelivery(b, deliveryRow{
		deliveryKey: deliveryKey{"evt_a", "e"}, status: "dead", received: 1 << 40, due: -1,
	})
	return appendIDs(b, recordLeases, nil)
}
