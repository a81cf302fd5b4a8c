package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/events"
	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/config"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

type localCommand struct {
	Addr   string `help:"Address to listen on." default:"127.0.0.1:8080"`
	Data   string `help:"Directory for all data." default:".relay" type:"path"`
	Config string `help:"Configuration to apply first. Without it the relay uses the one that was applied last." type:"existingfile"`
	Guard  bool   `help:"Block endpoints at private and loopback addresses, as a deployed relay does."`
	Quiet  bool   `help:"Print no line for each webhook and delivery."`
	Demo   bool   `help:"Run the demonstration: its configuration, an endpoint that fails once, and one sample webhook."`

	SweepEvery time.Duration `help:"How often to look for lost deliveries and send them again." default:"1h"`
}

// drainTime is how long the host waits at the end for requests in flight, and then as long for
// steps of jobs.
const drainTime = 10 * time.Second

// gcPercent is GOGC of the host, if the environment has none. The host keeps little in memory, and
// with Go's default of 100 a tenth of its time went into collections.
const gcPercent = 300

// Run hosts the relay until ctx ends. It returns no error then, since this is the normal end.
func (c *localCommand) Run(ctx context.Context, inv *invocation) error {
	if err := c.host(ctx, inv); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (c *localCommand) host(ctx context.Context, inv *invocation) (err error) {
	if c.SweepEvery <= 0 {
		return fmt.Errorf("--sweep-every %s: must be above zero", c.SweepEvery)
	}
	// Without this, a write to a closed standard output would end the process at once.
	signal.Ignore(syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// net/http logs what an endpoint sends unasked. That may be an echo of our request.
	log.SetOutput(io.Discard)
	listener, err := bind(ctx, c.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	console := newConsole(inv.out)
	defer console.flush()
	var reporter relay.Reporter = console
	if c.Quiet {
		reporter = silent{}
	}
	h, err := openHost(c.Data, hostOptions{Guard: c.Guard, Reporter: reporter})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	url := "http://" + listener.Addr().String()
	if err := c.configure(ctx, inv, h, url, console); err != nil {
		return err
	}
	if err := h.noteAddress(ctx, url); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go endWith(ctx, console.closed, cancel)
	link, err := h.pages.Link(ctx, inv.operator().Name, "", linkValid)
	if err != nil {
		return err
	}
	return c.serve(ctx, h, listener, console, link)
}

// endWith ends the host when nobody reads its output any longer, as in "relay local | head".
func endWith(ctx context.Context, closed <-chan struct{}, cancel context.CancelFunc) {
	select {
	case <-closed:
		cancel()
	case <-ctx.Done():
	}
}

// bind listens on the address. If the address is in use, the error says so in plain words.
func bind(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	at := addr
	if host, port, err := net.SplitHostPort(addr); err == nil && egress.IsLocalhost(host) {
		at = net.JoinHostPort("127.0.0.1", port)
	}
	listener, err := lc.Listen(ctx, "tcp", at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf(
			"%s is in use; stop what listens there, or choose another address with --addr", addr,
		)
	}
	if err != nil {
		return nil, fmt.Errorf("--addr %s: %w", addr, err)
	}
	return listener, nil
}

// configure applies the requested configuration.
func (c *localCommand) configure(
	ctx context.Context, inv *invocation, h *host, url string, out *console,
) error {
	switch {
	case c.Demo && c.Config != "":
		return errors.New("--demo brings its own configuration; leave --config out")
	case c.Demo:
		next, err := demoCatalog(url)
		if err != nil {
			return err
		}
		out.printf(
			"catalog   events/demo.yaml and a source for each other provider, %d in all, and an endpoint that fails once",
			len(next.Sources),
		)
		return h.configureDemo(ctx, next)
	case c.Config != "":
		file, err := inv.readFile(c.Config)
		if err != nil {
			return err
		}
		return h.apply(ctx, inv.operator(), file, out.printf)
	}
	return nil
}

// apply applies a configuration file by the host's own API, and removes what is no longer in it.
func (h *host) apply(
	ctx context.Context, who admin.Principal, file configFile, printf func(string, ...any),
) error {
	api := &connection{Client: client.InProcess(h.v1, who, "")}
	query := applyQuery(catalog.DefaultKeep, false, false)
	planned, etag, err := api.plan(ctx, file, query)
	if err != nil {
		return err
	}
	planned.print(printf)
	query.Set("remove", "true")
	applied, err := api.apply(ctx, file, etag, query)
	if err == nil {
		applied.print(printf)
	}
	return err
}

// configureDemo writes the demonstration's configuration, which is in no single file.
func (h *host) configureDemo(ctx context.Context, next catalog.Catalog) error {
	store := h.catalog.For("")
	current, revision, err := store.LoadCatalog(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if _, err := config.FillSecrets(&next, current, catalog.DefaultKeep, now); err != nil {
		return err
	}
	err = config.Merge(&next, current, false)
	if err != nil || len(config.Changes(current, next, now)) == 0 {
		return err
	}
	return store.ReplaceCatalog(ctx, next, revision)
}

// serve runs the queues and the HTTP server until ctx ends or the store breaks. It then drains: it
// takes no new requests, answers those in flight, and finishes the current batches. Messages still
// in a queue stay on disk until the next start.
func (c *localCommand) serve(
	ctx context.Context, h *host, listener net.Listener, out *console, link string,
) error {
	front := h.pages.Beside(besideAPI(gateway.New(h.receive), h.v1))
	if c.Demo {
		front = besideDemo(front, newDemoEndpoint(out))
	}
	server := &http.Server{
		Handler: front, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: gateway.Timeout,
		IdleTimeout: 75 * time.Second,
		// The gateway itself answers requests above its own limit.
		MaxHeaderBytes: http.DefaultMaxHeaderBytes,
	}
	server.RegisterOnShutdown(h.kept.Stop)
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return h.consume(running) })
	g.Go(func() error {
		h.sweep(running, c.SweepEvery, out.swept)
		return nil
	})
	g.Go(func() error {
		h.keepJobsGoing(running)
		return nil
	})
	g.Go(func() error {
		if err := server.Serve(gateway.Listener(listener)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-running.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := server.Shutdown(stop); err != nil {
			return server.Close()
		}
		return nil
	})
	out.printf(
		"relay     is listening on http://%s/in/{source}, data in %s, Ctrl-C stops it",
		listener.Addr(), c.Data,
	)
	out.printf("console   http://%s%s signs you in, once", listener.Addr(), link)
	if c.Demo {
		g.Go(func() error { return sendDemo(running, listener.Addr().String(), out) })
	}
	err := g.Wait()
	if err == nil {
		out.printf(
			"stopped; %s in %s, to be processed after the next start",
			plural(h.waiting(context.WithoutCancel(ctx)), "message"), c.Data,
		)
	}
	return err
}

// besideAPI serves the API beside the ingress. It uses no ServeMux, which would redirect requests
// with an untidy path.
func besideAPI(front, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			api.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	})
}

// linkValid is how long the link to the console can be used.
const linkValid = 8 * time.Hour

// besideDemo serves the demonstration's endpoint beside the relay. It uses no ServeMux, which would
// redirect requests with an untidy path.
func besideDemo(front, endpoint http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == events.DemoEndpointPath {
			endpoint.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	})
}

// demoCatalog returns the demonstration's configuration, with its endpoint on this host.
func demoCatalog(url string) (catalog.Catalog, error) {
	cat, err := events.Demo()
	for i := range cat.Endpoints {
		e := &cat.Endpoints[i]
		if _, path, ok := strings.Cut(e.URL, events.DemoEndpointPath); ok {
			e.URL = url + events.DemoEndpointPath + path
		}
	}
	return cat, err
}
