package listen

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/relay/operate"
)

const (
	// pollEvery is how often Receive looks for new messages.
	pollEvery = 200 * time.Millisecond
	keptPage  = 200
)

// Kept keeps the messages of listeners as documents, for a relay on this machine. They outlive
// every process. Which of them are hidden is known to this process alone: after its end all are
// received again. It implements Queues and Sender and is safe for concurrent use.
type Kept struct {
	documents operate.Documents
	now       func() time.Time
	stopped   chan struct{}
	stop      sync.Once

	mu     sync.Mutex
	hidden map[string]time.Time // by the listener's id and the handle: until when
	last   int64
}

// NewKept returns the queues in documents. now is the clock.
func NewKept(documents operate.Documents, now func() time.Time) *Kept {
	return &Kept{
		documents: documents, now: now, hidden: map[string]time.Time{},
		stopped: make(chan struct{}),
	}
}

// Stop ends all waits for messages, now and from now on: the process is about to end.
func (k *Kept) Stop() { k.stop.Do(func() { close(k.stopped) }) }

// Received is a message that was received.
type Received struct {
	Handle string // names it in Delete and Release
	Body   []byte
}

// keptIn returns the collection of a listener's messages.
func keptIn(id string) string { return "listen/" + id }

// Create implements Queues. A message is kept for the longest time of any listener.
func (*Kept) Create(context.Context, string, time.Duration) error { return nil }

// Access implements Queues.
func (*Kept) Access(context.Context, string) (Transport, error) {
	return Transport{Kind: KindPoll}, nil
}

// Send implements Sender. A message that was accepted is on disk.
func (k *Kept) Send(ctx context.Context, id string, messages [][]byte) []error {
	errs := make([]error, len(messages))
	for i, m := range messages {
		_, errs[i] = k.documents.PutDocument(ctx, keptIn(id), operate.Document{
			Key: k.nextKey(), Body: m,
			ExpiresAt: k.now().Add(MaxTTL + KeptFor).Truncate(time.Second),
		}, 0)
	}
	return errs
}

// nextKey returns a key that is later than every one before.
func (k *Kept) nextKey() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = max(k.last+1, k.now().UnixMicro())
	return fmt.Sprintf("%020d-%s", k.last, rand.Text()[:8])
}

// Receive returns at most so many messages, the oldest first, and hides them from other calls for a
// time. If there is none it waits for one.
func (k *Kept) Receive(
	ctx context.Context, id string, most int, wait, hide time.Duration,
) ([]Received, error) {
	ends := time.Now().Add(wait)
	for {
		found, err := k.look(ctx, id, most, hide)
		if err != nil || len(found) > 0 || time.Now().After(ends) {
			return found, err
		}
		select {
		case <-time.After(pollEvery):
		case <-k.stopped:
			return nil, nil
		case <-ctx.Done():
			return nil, nil // whoever waited is gone
		}
	}
}

// look returns messages that are there now, and hides them.
func (k *Kept) look(
	ctx context.Context, id string, most int, hide time.Duration,
) (found []Received, err error) {
	for from := ""; ; {
		documents, next, err := k.documents.DocumentsIn(
			ctx, keptIn(id), operate.DocumentRange{From: from, Limit: keptPage},
		)
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			if len(found) < most && k.hide(id+d.Key, hide) {
				found = append(found, Received{Handle: d.Key, Body: d.Body})
			}
		}
		if from = next; next == "" || len(found) == most {
			return found, nil
		}
	}
}

// hide hides a message, and tells whether it was not hidden.
func (k *Kept) hide(name string, d time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.Before(k.hidden[name]) {
		return false
	}
	k.hidden[name] = now.Add(d)
	return true
}

// Release lets a message be received again after a time.
func (k *Kept) Release(id, handle string, after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hidden[id+handle] = k.now().Add(after)
}

// DeleteMessages deletes messages. It is no error if there are none.
func (k *Kept) DeleteMessages(ctx context.Context, id string, handles []string) error {
	for _, handle := range handles {
		if err := k.documents.DeleteDocument(
			ctx, keptIn(id), handle, operate.AnyVersion,
		); err != nil {
			return err
		}
		k.forget(id + handle)
	}
	return nil
}

func (k *Kept) forget(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.hidden, name)
}

// Delete implements Queues.
func (k *Kept) Delete(ctx context.Context, id string) error {
	for {
		documents, _, err := k.documents.DocumentsIn(
			ctx, keptIn(id), operate.DocumentRange{Limit: keptPage},
		)
		if err != nil || len(documents) == 0 {
			return err
		}
		handles := slices.Collect(func(yield func(string) bool) {
			for _, d := range documents {
				if !yield(d.Key) {
					return
				}
			}
		})
		if err := k.DeleteMessages(ctx, id, handles); err != nil {
			return err
		}
	}
}
