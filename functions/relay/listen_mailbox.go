package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/listen"
)

// mailbox is the queue of a listener.
type mailbox interface {
	// receive waits for messages, at most so many, for 20 s. They are hidden from further calls for
	// a time.
	receive(ctx context.Context, most int, hide time.Duration) ([]received, error)
	// done deletes a message.
	done(ctx context.Context, handle string) error
	// again lets a message be received again after a time.
	again(ctx context.Context, handle string, after time.Duration) error
}

// errExpired means that the credentials for a mailbox are no longer valid.
var errExpired = errors.New("the credentials for the queue have ended")

// received is a message.
type received struct {
	handle string
	body   []byte
}

const (
	// receiveWait is how long a call waits for the first message.
	receiveWait = 20 * time.Second
	// receiveTimeout is more than that: a call that takes longer has lost its connection, such as
	// after a sleep of the machine.
	receiveTimeout = 30 * time.Second
)

// newMailbox returns the mailbox of a listener.
func newMailbox(api *connection, r admin.ReadyListener) (mailbox, error) {
	switch r.Transport.Kind {
	case listen.KindPoll:
		return polled{api: api, path: client.Path("v1", "listeners", r.ID)}, nil
	case listen.KindSQS:
		return newQueue(r.Transport)
	}
	return nil, fmt.Errorf(
		"the relay keeps events in a way that this command does not know (%.40q): use a newer one",
		r.Transport.Kind,
	)
}

// polled is the mailbox of a relay on one machine, which has it itself.
type polled struct {
	api  *connection
	path string
}

func (p polled) receive(
	ctx context.Context, most int, hide time.Duration,
) ([]received, error) {
	ctx, cancel := context.WithTimeout(ctx, receiveTimeout)
	defer cancel()
	got, err := call[struct {
		Messages []admin.KeptMessage `json:"messages"`
	}](ctx, p.api, p.path+"/receive", map[string]int{
		"max": most, "waitSeconds": seconds(receiveWait), "hideSeconds": seconds(hide),
	})
	if err != nil {
		return nil, err
	}
	all := make([]received, len(got.Messages))
	for i, m := range got.Messages {
		body, err := base64.StdEncoding.DecodeString(m.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", client.ErrAnswer, err)
		}
		all[i] = received{handle: m.Handle, body: body}
	}
	return all, nil
}

func (p polled) done(ctx context.Context, handle string) error {
	return p.settle(ctx, map[string]any{"done": []string{handle}})
}

func (p polled) again(ctx context.Context, handle string, after time.Duration) error {
	return p.settle(ctx, map[string]any{
		"again": []string{handle}, "afterSeconds": seconds(after),
	})
}

func (p polled) settle(ctx context.Context, body any) error {
	_, err := p.api.Do(ctx, client.Request{
		Method: http.MethodPost, Path: p.path + "/settle", Body: body,
	})
	return err
}

// seconds returns whole seconds, rounded up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
