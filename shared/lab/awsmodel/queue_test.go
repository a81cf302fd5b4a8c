package awsmodel_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/lab/awsmodel"
	"webhook-relay/shared/relay"
)

func send(q *awsmodel.Queue, group string, n int) {
	for range n {
		q.Send(context.Background(), []relay.Outgoing{{Body: []byte(group), Group: group}})
	}
}

// groups counts messages by group.
func groups(batch []awsmodel.Received) map[string]int {
	n := map[string]int{}
	for _, r := range batch {
		n[string(r.Body)]++
	}
	return n
}

func TestQuietGroupsComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{})
		send(q, "loud", 100)
		q.Receive(t.Context(), 40, 0) // more than 30, and all messages in flight
		time.Sleep(2 * time.Second)
		if noisy := q.Noisy(); fmt.Sprint(noisy) != "[loud]" {
			t.Fatalf("noisy: %v", noisy)
		}
		send(q, "quiet", 3)
		got := q.Receive(t.Context(), 10, 0)
		if n := groups(got); n["quiet"] != 3 || n["loud"] != 7 || string(got[0].Body) != "quiet" {
			t.Errorf("received %v, the first of %s", n, got[0].Body)
		}
	})
}

func TestAGroupIsQuietAgainOnceItsBacklogIsEmpty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: time.Hour})
		send(q, "loud", 50)
		q.Receive(t.Context(), 40, 0)
		time.Sleep(2 * time.Second)
		q.Receive(t.Context(), 10, 0)
		time.Sleep(2 * time.Second)
		if noisy := q.Noisy(); len(noisy) != 0 {
			t.Errorf("noisy: %v", noisy)
		}
	})
}

// TestProcessingTimeMakesAGroupNoisy has a group with few messages in flight that take long.
func TestProcessingTimeMakesAGroupNoisy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: time.Hour})
		send(q, "slow", 20)
		q.Receive(t.Context(), 10, 0)
		time.Sleep(10 * time.Second)
		if noisy := q.Noisy(); fmt.Sprint(noisy) != "[slow]" {
			t.Errorf("noisy: %v", noisy)
		}
	})
}

func TestAMessageComesBackAfterItsVisibilityTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := awsmodel.NewQueue(awsmodel.QueueOptions{})
		q := awsmodel.NewQueue(awsmodel.QueueOptions{
			Visibility: time.Minute, DeadLetter: dead, MaxReceives: 2, Lateness: 10 * time.Second,
		})
		send(q, "a", 1)
		began := time.Now()
		for receives := 1; receives <= 2; receives++ {
			got := q.Receive(t.Context(), 10, 2*time.Minute)
			if len(got) != 1 || got[0].Receives != receives {
				t.Fatalf("received %v, want one for the %dth time", got, receives)
			}
		}
		if after := time.Since(began); after < time.Minute || after > 70*time.Second {
			t.Errorf("received again after %v", after)
		}
		got := q.Receive(t.Context(), 10, 2*time.Minute)
		if n := dead.Counts().Visible; len(got) != 0 || n != 1 {
			t.Errorf("received %v; %d in the dead-letter queue", got, n)
		}
	})
}

func TestADeletedMessageStaysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := awsmodel.NewQueue(awsmodel.QueueOptions{Visibility: time.Second})
		send(q, "a", 2)
		got := q.Receive(t.Context(), 10, 0)
		q.Delete(got[:1])
		again := q.Receive(t.Context(), 10, time.Minute)
		if len(again) != 1 || again[0].ID != got[1].ID {
			t.Fatalf("received %v again", again)
		}
		q.Delete(got[1:]) // no effect: it was received again since
		q.ChangeVisibility(again[0], 5*time.Second)
		began := time.Now()
		q.Receive(t.Context(), 10, time.Minute)
		if after := time.Since(began); after != 5*time.Second {
			t.Errorf("visible again after %v", after)
		}
	})
}
