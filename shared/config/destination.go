package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

// aim reads an endpoint's url, and what it says about a destination if that is an ARN.
func (c *checker) aim(path string, e endpoint, out *catalog.Endpoint) {
	if strings.HasPrefix(e.URL, "env:") { // a URL may have a secret in its path
		e.URL, _ = c.resolve(path+".url", e.URL)
		if e.URL == "" {
			return
		}
	}
	if !destination.Is(e.URL) {
		out.URL = c.url(path+".url", e.URL)
		for _, key := range aimKeys(e) {
			c.fail(path+"."+key, "is only for an endpoint whose url is an ARN or an s3:// address")
		}
		return
	}
	out.URL, out.Destination = e.URL, &destination.Options{
		Envelope: destination.Envelope(e.Envelope), Group: e.Group, DetailType: e.DetailType,
		BusSource: e.BusSource, Stream: e.Stream, Region: e.Region, Claim: e.Claim,
		Wait: e.Wait != nil && *e.Wait,
	}
	to, err := c.parseARN(e.URL)
	if err != nil {
		c.fail(path+".url", "%w", err)
		return
	}
	for _, key := range aimKeys(e) {
		if !slices.Contains(everyKind, key) && !to.Kind.HasOption(key) {
			c.fail(path+"."+key, "does not exist for %s", to.Kind)
		}
	}
	for _, key := range httpKeys(e) {
		c.fail(path+"."+key, "is only for an endpoint with an http URL, not for an ARN")
	}
	if v := out.Destination.Envelope; v != "" && v != destination.Raw && v != destination.JSON {
		c.fail(
			path+".envelope", "%q is neither %s nor %s", e.Envelope, destination.Raw,
			destination.JSON,
		)
	}
	if _, err := to.ParseTexts(*out.Destination); err != nil {
		c.failSend(path, err)
	}
	if e.Claim != "" && e.Claim != destination.ClaimS3 {
		c.fail(path+".claim", "%q is not %s", e.Claim, destination.ClaimS3)
	}
	if e.Region != "" && !regionForm().MatchString(e.Region) {
		c.fail(path+".region", "%q is not a region, such as eu-central-1", e.Region)
	}
	to = to.In(e.Region)
	sigV4 := &catalog.SigV4{Service: to.Service(), Region: to.Region}
	c.role(path, e.Role, e.ExternalID, sigV4)
	out.Auth = &catalog.Auth{SigV4: sigV4}
}

// checkOrderedStream reports an order that the destination would not keep.
func (c *checker) checkOrderedStream(path string, e catalog.Endpoint) {
	if e.Destination == nil || !e.Order.On || e.Destination.Group != "" {
		return
	}
	if to, err := destination.Parse(e.URL); err == nil && to.Kind == destination.Kinesis {
		c.fail(
			path+".group", "is missing; a stream keeps an order only among records with the same "+
				"partition key, so ordered needs it",
		)
	}
}

func (c *checker) parseARN(url string) (destination.Destination, error) {
	if hint := literalHint(url); hint != "" {
		return destination.Destination{}, errors.New(hint)
	}
	return destination.Parse(url)
}

// everyKind are the keys that all destinations have.
var everyKind = []string{"envelope", "role", "external_id"}

// aimKeys returns the keys of destinations that an endpoint has.
func aimKeys(e endpoint) []string {
	return given([]keyed{
		{key: "envelope", there: e.Envelope != ""}, {key: "group", there: e.Group != ""},
		{key: "detail_type", there: e.DetailType != ""}, {
			key: "bus_source", there: e.BusSource != "",
		},
		{key: "stream", there: e.Stream != ""}, {key: "region", there: e.Region != ""},
		{key: "claim", there: e.Claim != ""},
		{key: "wait", there: e.Wait != nil}, {key: "role", there: e.Role != ""}, {
			key: "external_id", there: e.ExternalID != "",
		},
	})
}

// httpKeys returns the keys that an endpoint has and a destination cannot have.
func httpKeys(e endpoint) []string {
	return given([]keyed{
		{
			key: "secrets", there: len(e.Secrets) > 0,
		}, {key: "headers", there: len(e.Headers) > 0}, {key: "auth", there: e.Auth != nil},
		{key: "tls", there: e.TLS != nil}, {key: "prove", there: e.Prove != ""},
	})
}

type keyed struct {
	key   string
	there bool
}

func given(all []keyed) (keys []string) {
	for _, one := range all {
		if one.there {
			keys = append(keys, one.key)
		}
	}
	return keys
}

var (
	regionForm = pattern.Lazy(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	roleForm   = pattern.Lazy(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`)
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	externalIDForm = pattern.Lazy(`^[A-Za-z0-9+=,.@:/_-]+$`)
)

// role reads the role to assume.
func (c *checker) role(path, role, externalID string, out *catalog.SigV4) {
	if role != "" && !roleForm().MatchString(role) {
		c.fail(path+".role", "%q is not of the form arn:aws:iam::ACCOUNT:role/NAME", role)
	}
	out.Role = role
	if externalID == "" {
		return
	}
	if role == "" {
		c.fail(path+".external_id", "is given without role, which it belongs to")
	}
	id, ok := c.resolve(path+".external_id", externalID)
	if ok && (!externalIDForm().MatchString(id) || len(id) < 2 || len(id) > 1224) {
		c.fail(
			path+".external_id",
			"is not an external id: 2 to 1,224 of letters, digits and +=,.@:/_-",
		)
	}
	out.ExternalID = id
}

// checkBodyOnly reports the keys of a transform that a request to AWS does not have.
func (c *checker) checkBodyOnly(path, spec string) {
	t, err := transform.Parse([]byte(spec))
	if err != nil {
		return // it is reported already
	}
	if keys := t.RequestKeys(); len(keys) > 0 {
		c.fail(
			path, "sets %s, which an endpoint with an ARN does not get; only the body can be changed",
			strings.Join(keys, " and "),
		)
	}
}

// CheckGranted returns why an endpoint cannot send to its destination, or nil. granted are the ARNs
// in the setting send of the stack. Error: ErrInvalid; see Problems.
func CheckGranted(e catalog.Endpoint, granted []string) error {
	if e.Auth == nil || e.Auth.SigV4 == nil {
		return nil
	}
	path, arn := "url", e.URL
	if role := e.Auth.SigV4.Role; role != "" {
		path, arn = "role", role
	} else if to, err := destination.Parse(e.URL); err == nil {
		if arn = to.ARN; to.IsGranted(granted) {
			return nil
		}
	}
	if e.Destination == nil && path == "url" || slices.Contains(granted, arn) {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, &Problem{Path: path, Err: fmt.Errorf(
		"%s is not in the setting send of the stack; add it there, deploy, and apply again", arn,
	)})
}

// aim writes what an endpoint says about its destination, or how it authenticates.
func (x *exporter) aim(e catalog.Endpoint, out *endpoint) {
	o := e.Destination
	if o == nil {
		out.Auth = x.auth(e)
		return
	}
	out.Envelope, out.Group = string(o.Envelope), o.Group
	out.DetailType, out.BusSource = o.DetailType, o.BusSource
	out.Stream, out.Region, out.Claim = o.Stream, o.Region, o.Claim
	if o.Wait {
		out.Wait = &o.Wait
	}
	if e.Auth != nil && e.Auth.SigV4 != nil {
		out.Role = e.Auth.SigV4.Role
		out.ExternalID = x.secret(e.Auth.SigV4.ExternalID, "endpoint", e.Name, "external_id")
	}
}
