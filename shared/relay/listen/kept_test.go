package listen_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/listen"
)

// receive receives what is there, without waiting.
func receive(t *testing.T, k *listen.Kept, id string, most int) (texts, handles []string) {
	t.Helper()
	found, err := k.Receive(t.Context(), id, most, 0, time.Minute)
	must(t, err)
	for _, m := range found {
		texts, handles = append(texts, string(m.Body)), append(handles, m.Handle)
	}
	return texts, handles
}

// TestKeptMessages: they are received in order, hidden, received again, and gone once deleted.
func TestKeptMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		documents := &memory.Documents{}
		k := listen.NewKept(documents, time.Now)
		for _, err := range k.Send(t.Context(), "lis_a", [][]byte{[]byte("1"), []byte("2")}) {
			must(t, err)
		}
		for _, err := range k.Send(t.Context(), "lis_a", [][]byte{[]byte("3")}) {
			must(t, err)
		}
		first, handles := receive(t, k, "lis_a", 2)
		rest, last := receive(t, k, "lis_a", 10)
		if !slices.Equal(first, []string{"1", "2"}) || !slices.Equal(rest, []string{"3"}) {
			t.Errorf("received %v, then %v", first, rest)
		}
		must(t, k.DeleteMessages(t.Context(), "lis_a", handles[:1]))
		k.Release("lis_a", last[0], 10*time.Second)
		time.Sleep(10 * time.Second)
		if got, _ := receive(t, k, "lis_a", 10); !slices.Equal(got, []string{"3"}) {
			t.Errorf("released: %v", got)
		}
		time.Sleep(time.Minute)
		if got, _ := receive(t, k, "lis_a", 10); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("after their time: %v", got)
		}
		if got, _ := receive(t, k, "lis_b", 10); len(got) > 0 {
			t.Errorf("another's: %v", got)
		}
		// another process, after this one was killed
		k = listen.NewKept(documents, time.Now)
		if got, _ := receive(t, k, "lis_a", 10); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("after a restart: %v", got)
		}
		must(t, k.Delete(t.Context(), "lis_a"))
		time.Sleep(time.Hour)
		if got, _ := receive(t, k, "lis_a", 10); len(got) > 0 {
			t.Errorf("after the deletion: %v", got)
		}
	})
}

// TestKeptBacklog: a long backlog is received from its begin, also beyond what is hidden.
func TestKeptBacklog(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	k := listen.NewKept(documents, time.Now)
	var want []string
	for i := range 450 {
		text := strconv.Itoa(i)
		want = append(want, text)
		must(t, k.Send(t.Context(), "lis_a", [][]byte{[]byte(text)})[0])
	}
	var got []string
	for {
		some, _ := receive(t, k, "lis_a", 70)
		if len(some) == 0 {
			break
		}
		got = append(got, some...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("received %v", got)
	}
	must(t, k.Delete(t.Context(), "lis_a"))
	if got, _ := receive(t, listen.NewKept(documents, time.Now), "lis_a", 10); len(got) > 0 {
		t.Errorf("after the deletion: %v", got)
	}
}

// TestReceiveWaits for the first message, or until its time is over, or nobody waits any longer.
func TestReceiveWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := listen.NewKept(&memory.Documents{}, time.Now)
		began := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			_ = k.Send(t.Context(), "lis_a", [][]byte{[]byte("1")})
		}()
		found, err := k.Receive(t.Context(), "lis_a", 10, 20*time.Second, time.Minute)
		if took := time.Since(began); err != nil || len(found) != 1 || took > 4*time.Second {
			t.Errorf("%d messages after %v, %v", len(found), took, err)
		}
		began = time.Now()
		found, err = k.Receive(t.Context(), "lis_a", 10, 20*time.Second, time.Minute)
		if took := time.Since(began); err != nil || len(found) > 0 || took < 20*time.Second {
			t.Errorf("%d messages after %v, %v", len(found), took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		found, err = k.Receive(ctx, "lis_a", 10, 20*time.Second, time.Minute)
		if took := time.Since(began); err != nil || len(found) > 0 || took > 2*time.Second {
			t.Errorf("%d messages after %v, %v", len(found), took, err)
		}
	})
}
