package admin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/relay/operate"
)

// Listening has what people need to listen to events.
type Listening struct {
	Listeners *listen.Listeners // nil: listening is off
	Sender    listen.Sender
	Kept      *listen.Kept // what a relay on this machine keeps; nil: the queues are elsewhere
}

// ListenerView is a listener.
type ListenerView struct {
	ID         string          `json:"id" example:"lis_k3f9zq2mpa7xw4ce"`
	Sources    []string        `json:"sources" nullable:"false" doc:"None: all"`
	Types      []string        `json:"types" nullable:"false" doc:"Patterns. None: all"`
	Where      json.RawMessage `json:"where,omitempty" doc:"A filter, as in a subscription"`
	By         string          `json:"by,omitempty" doc:"Who listens"`
	TTLSeconds int             `json:"ttlSeconds" doc:"How long it lasts after it was last renewed"`
	CreatedAt  time.Time       `json:"createdAt"`
	ExpiresAt  time.Time       `json:"expiresAt" doc:"Until when it gets events, unless it is renewed. It keeps them for a day longer"`
	Active     bool            `json:"active" doc:"It gets events now"`
}

// TransportView is how a listener receives its events.
type TransportView struct {
	Kind        string           `json:"kind" enum:"sqs,poll" doc:"sqs: from an SQS queue, with credentials for that alone. poll: POST …/receive"`
	QueueURL    string           `json:"queueUrl,omitempty"`
	Region      string           `json:"region,omitempty"`
	Credentials *CredentialsView `json:"credentials,omitempty"`
}

// CredentialsView are temporary credentials of AWS.
type CredentialsView struct {
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"secretAccessKey"`
	SessionToken    string    `json:"sessionToken"`
	Expires         time.Time `json:"expires" doc:"Renew the listener before"`
}

// ReadyListener is a listener, with what it needs to receive.
type ReadyListener struct {
	ListenerView

	Transport TransportView `json:"transport"`
}

// MadeListener is a listener that was made just now.
type MadeListener struct {
	ReadyListener

	InForceAt time.Time `json:"inForceAt" doc:"From when on it gets each event that is routed"`
}

func (s *server) viewOfListener(l listen.Listener) ListenerView {
	v := ListenerView{
		ID: l.ID, Sources: append([]string{}, l.Sources...), Types: append([]string{}, l.Types...),
		By: l.By, TTLSeconds: int(l.TTL.Seconds()), CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt,
		Active: l.Active(s.Now()),
	}
	if l.Where != "" {
		v.Where = json.RawMessage(l.Where)
	}
	return v
}

func viewOfTransport(t listen.Transport) TransportView {
	v := TransportView{Kind: t.Kind, QueueURL: t.QueueURL, Region: t.Region}
	if t.AccessKeyID != "" {
		v.Credentials = &CredentialsView{
			AccessKeyID: t.AccessKeyID, SecretAccessKey: t.SecretAccessKey,
			SessionToken: t.SessionToken, Expires: t.Expires,
		}
	}
	return v
}

type newListener struct {
	Body struct {
		Sources []string        `json:"sources,omitempty" maxItems:"100" doc:"Names of sources. None: all"`
		Types   []string        `json:"types,omitempty" maxItems:"100" doc:"Patterns, as in a subscription. None: all"`
		Where   json.RawMessage `json:"where,omitempty" doc:"A filter, as in a subscription"`
		TTL     string          `json:"ttl,omitempty" doc:"How long it lasts after it was last renewed: 1m to 24h. Default: 8h" example:"8h"`
	}
}

type listenersAnswer struct {
	Body struct {
		Items []ListenerView `json:"items" nullable:"false"`
	}
}

type madeListener struct {
	Body MadeListener
}

type readyListener struct {
	Body ReadyListener
}

type resentInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Events []string `json:"events" minItems:"1" maxItems:"100" doc:"Ids of events on record"`
		Again  bool     `json:"again,omitempty" doc:"Also those that it has received before"`
	}
}

type resentAnswer struct {
	Body struct {
		Sent int `json:"sent" doc:"How many of the events were put into its queue. The others are no longer on record"`
	}
}

type receiveInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Max         int `json:"max,omitempty" minimum:"1" maximum:"10" default:"10" doc:"How many messages at most"`
		WaitSeconds int `json:"waitSeconds,omitempty" minimum:"0" maximum:"20" doc:"How long to wait for the first message"`
		HideSeconds int `json:"hideSeconds,omitempty" minimum:"1" maximum:"43200" default:"30" doc:"How long they are hidden from further requests"`
	}
}

type receiveAnswer struct {
	Body struct {
		Messages []KeptMessage `json:"messages" nullable:"false"`
	}
}

// KeptMessage is a message for a listener.
type KeptMessage struct {
	Handle string `json:"handle" doc:"Names it in POST …/settle"`
	Body   string `json:"body" doc:"The message, in base64"`
}

type settleInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Done         []string `json:"done,omitempty" maxItems:"100" doc:"Handles of messages to delete"`
		Again        []string `json:"again,omitempty" maxItems:"100" doc:"Handles of messages to receive again"`
		AfterSeconds int      `json:"afterSeconds,omitempty" minimum:"0" maximum:"43200" doc:"When to receive them again"`
	}
}

func registerListeners(r *registrar) {
	handle(r, "listeners.list", func(
		ctx context.Context, _ *struct{},
	) (*listenersAnswer, error) {
		if err := r.checkListening(); err != nil {
			return nil, err
		}
		found, err := r.Listening.Listeners.List(ctx, callOf(ctx).tenant)
		out := new(listenersAnswer)
		out.Body.Items = mapped(found, r.viewOfListener)
		return out, err
	}, conflicts)
	handle(r, "listeners.create", r.createListener)
	handle(r, "listeners.renew", r.renewListener)
	handle(r, "listeners.delete", func(ctx context.Context, in *idInput) (*struct{}, error) {
		l, err := r.listener(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return nil, r.change(ctx, "listener/"+in.ID, r.viewOfListener(l), nil, func() error {
			return r.Listening.Listeners.Remove(ctx, callOf(ctx).tenant, in.ID)
		})
	})
	handle(r, "listeners.send", r.sendToListener)
}

// registerKept registers what only a relay on one machine has.
func registerKept(r *registrar) {
	handle(r, "listeners.receive", r.receiveKept)
	handle(r, "listeners.settle", r.settleKept)
}

// checkListening returns a problem if listening is off.
func (s *server) checkListening() error {
	if s.Listening.Listeners == nil {
		return stateConflict.problem("Listening is off in this relay, since it sends webhooks to people's own machines. Deploy it with the setting listeners: true.")
	}
	return nil
}

// listener returns a listener of the request's tenant.
func (s *server) listener(ctx context.Context, id string) (listen.Listener, error) {
	if err := s.checkListening(); err != nil {
		return listen.Listener{}, err
	}
	l, err := s.Listening.Listeners.Listener(ctx, callOf(ctx).tenant, id)
	return l, orError(err, catalog.ErrNotFound, notFound.problem(
		"There is no listener %.40q. It may have ended: GET /v1/listeners lists those that there are.",
		id,
	))
}

func (s *server) createListener(ctx context.Context, in *newListener) (*madeListener, error) {
	if err := s.checkListening(); err != nil {
		return nil, err
	}
	c := callOf(ctx)
	l := listen.Listener{
		Tenant: c.tenant, Sources: in.Body.Sources, Types: in.Body.Types,
		Where: whereText(in.Body.Where), By: nameOf(c.principal), TTL: listen.DefaultTTL,
	}
	var err error
	if in.Body.TTL != "" {
		if l.TTL, err = span(in.Body.TTL); err != nil || l.TTL == 0 {
			return nil, at("/body/ttl", "%.40q is not a time; write 1h30m", in.Body.TTL)
		}
	}
	if err := s.checkListened(ctx, l.Sources); err != nil {
		return nil, err
	}
	if l, err = s.Listening.Listeners.Prepare(l); err != nil {
		return nil, listenProblem(err)
	}
	out := new(madeListener)
	out.Body.ListenerView = s.viewOfListener(l)
	err = s.change(ctx, "listener/"+l.ID, nil, out.Body.ListenerView, func() error {
		var err error
		if out.Body.InForceAt, err = s.Listening.Listeners.Add(ctx, l); err != nil {
			return listenProblem(err)
		}
		return s.giveAccess(ctx, &out.Body.ReadyListener)
	})
	return out, err
}

// checkListened returns a problem for a source that there is not: nothing would ever come.
func (s *server) checkListened(ctx context.Context, names []string) error {
	tenant := callOf(ctx).tenant
	for i, name := range names {
		owner, plain := catalog.SplitName(name)
		if tenant != "" {
			owner, plain = tenant, name
		}
		_, err := s.Catalogs.For(owner).Resource(ctx, catalog.KindSource, plain)
		if errors.Is(err, catalog.ErrNotFound) {
			return at(fmt.Sprintf("/body/sources/%d", i), "there is no source %.100q", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listenProblem returns the problem for an error of listeners.
func listenProblem(err error) error {
	switch {
	case errors.Is(err, listen.ErrListener):
		return at("/body", "%s", textOf(err))
	case errors.Is(err, listen.ErrTooMany):
		return stateConflict.problem(
			"There are %d listeners, and there can be no more. GET /v1/listeners lists them (relay listeners); remove one that nobody needs.",
			listen.MaxListeners,
		)
	}
	return err
}

// giveAccess adds to an answer how the listener receives.
func (s *server) giveAccess(ctx context.Context, l *ReadyListener) error {
	t, err := s.Listening.Listeners.Access(ctx, l.ID)
	l.Transport = viewOfTransport(t)
	return err
}

func (s *server) renewListener(ctx context.Context, in *idInput) (*readyListener, error) {
	l, err := s.listener(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := new(readyListener)
	return out, s.change(ctx, "listener/"+in.ID, s.viewOfListener(l), nil, func() error {
		l, err := s.Listening.Listeners.Renew(ctx, callOf(ctx).tenant, in.ID)
		if err != nil {
			return err
		}
		out.Body.ListenerView = s.viewOfListener(l)
		return s.giveAccess(ctx, &out.Body)
	})
}

// sendToListener puts events on record into the queue of a listener.
func (s *server) sendToListener(ctx context.Context, in *resentInput) (*resentAnswer, error) {
	if _, err := s.listener(ctx, in.ID); err != nil {
		return nil, err
	}
	messages, err := s.copiesOf(ctx, in.Body.Events, in.Body.Again)
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, notFound.problem("None of the events is on record.")
	}
	out := new(resentAnswer)
	return out, s.change(ctx, "listener/"+in.ID, nil, in.Body, func() error {
		var failed error
		for _, err := range s.Listening.Sender.Send(ctx, in.ID, messages) {
			if err != nil {
				failed = err
				continue
			}
			out.Body.Sent++
		}
		return failed
	})
}

// copiesOf returns copies of events of the request's tenant, without those that are not on record.
func (s *server) copiesOf(
	ctx context.Context, ids []string, again bool,
) (messages [][]byte, err error) {
	records := operate.ForTenant(s.Events, callOf(ctx).tenant)
	for _, id := range ids {
		r, err := records.EventRecord(ctx, id)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c := listen.Copy{Event: r.Event}
		if again {
			c.Again = rand.Text()
		}
		messages = append(messages, c.Encode())
	}
	return messages, nil
}

// receiveKept returns messages that a relay on this machine keeps for a listener.
func (s *server) receiveKept(ctx context.Context, in *receiveInput) (*receiveAnswer, error) {
	if _, err := s.listener(ctx, in.ID); err != nil {
		return nil, err
	}
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	found, err := s.Listening.Kept.Receive(
		ctx, in.ID, in.Body.Max, seconds(in.Body.WaitSeconds), seconds(in.Body.HideSeconds),
	)
	out := new(receiveAnswer)
	out.Body.Messages = mapped(found, func(m listen.Received) KeptMessage {
		return KeptMessage{Handle: m.Handle, Body: base64.StdEncoding.EncodeToString(m.Body)}
	})
	return out, err
}

// settleKept deletes messages, or lets them be received again.
func (s *server) settleKept(ctx context.Context, in *settleInput) (*struct{}, error) {
	if _, err := s.listener(ctx, in.ID); err != nil {
		return nil, err
	}
	for _, handle := range in.Body.Again {
		s.Listening.Kept.Release(in.ID, handle, time.Duration(in.Body.AfterSeconds)*time.Second)
	}
	return nil, s.Listening.Kept.DeleteMessages(ctx, in.ID, in.Body.Done)
}
