package admin

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// The specs are the resources in the form of the configuration file. docs/configuration.md says
// what each field means.

// SourceSpec is a source.
type SourceSpec struct {
	Name       string            `json:"name" example:"github"`
	Provider   string            `json:"provider" doc:"A provider of GET /v1/providers" example:"github"`
	Secrets    []Secret          `json:"secrets,omitempty" doc:"The accepted secrets, newest first. Left out: those that it has"`
	HMAC       *HMACSpec         `json:"hmac,omitempty" doc:"For the provider hmac: how webhooks are signed"`
	EventType  *EventTypeSpec    `json:"event_type,omitempty" doc:"Where the event type is"`
	EventID    *EventIDSpec      `json:"event_id,omitempty" doc:"Where the provider's id of the webhook is"`
	Once       string            `json:"once,omitempty" doc:"body: webhooks with the same signed bytes are one"`
	URL        string            `json:"url,omitempty" doc:"The URL exactly as you gave it to the provider, if it signs it"`
	AllowedIPs []string          `json:"allowed_ips,omitempty" doc:"Addresses and networks that may send"`
	Settings   map[string]Secret `json:"settings,omitempty" doc:"What else the provider needs"`
	Tenant     *TenantOfSpec     `json:"tenant,omitempty" doc:"To whom the events belong"`
	Validate   string            `json:"validate,omitempty" enum:"flag,refuse,reject" doc:"What happens to an event that the schema of its type does not allow"`
	Types      []TypeSpec        `json:"types,omitempty" doc:"What it sends"`
	Expect     string            `json:"expect,omitempty" doc:"How long it may be silent before source.silent is sent, 1h to 720h. Left out: learned" example:"26h"`
}

// TypeSpec is a type of event of a source.
type TypeSpec struct {
	Name        string          `json:"name" example:"order.created"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty" doc:"JSON Schema 2020-12 of the document"`
	Example     json.RawMessage `json:"example,omitempty" doc:"Any JSON"`
	Deprecated  bool            `json:"deprecated,omitempty"`
}

func specOfType(t catalog.EventType) TypeSpec {
	return TypeSpec{
		Name: t.Name, Description: t.Description, Schema: json.RawMessage(t.Schema),
		Example: json.RawMessage(t.Example), Deprecated: t.Deprecated,
	}
}

// HMACSpec describes an HMAC scheme.
type HMACSpec struct {
	Header          string `json:"header"`
	Algorithm       string `json:"algorithm,omitempty"`
	Encoding        string `json:"encoding,omitempty"`
	Key             string `json:"key,omitempty"`
	Prefix          string `json:"prefix,omitempty"`
	Payload         string `json:"payload,omitempty"`
	TimestampHeader string `json:"timestamp_header,omitempty"`
	TimestampJSON   string `json:"timestamp_json,omitempty"`
	TimestampFormat string `json:"timestamp_format,omitempty"`
	IDHeader        string `json:"id_header,omitempty"`
	Tolerance       string `json:"tolerance,omitempty" example:"5m0s"`
}

// TenantOfSpec tells to whom the events of a source of the operator's belong: a tenant's id, or
// where the id is.
type TenantOfSpec struct{ catalog.TenantOf }

// MarshalJSON writes the id, or where it is.
func (t TenantOfSpec) MarshalJSON() ([]byte, error) {
	if t.ID != "" {
		return json.Marshal(t.ID)
	}
	return json.Marshal(t.TenantOf)
}

// Schema implements huma.SchemaProvider.
func (TenantOfSpec) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	return &huma.Schema{OneOf: []*huma.Schema{
		text,
		{
			Type: huma.TypeObject, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"header": text, "json": text, "optional": {Type: huma.TypeBoolean},
			},
		},
	}}
}

// EventTypeSpec tells where the event type is in a request.
type EventTypeSpec struct {
	Header string `json:"header,omitempty" doc:"In a header of this name"`
	JSON   string `json:"json,omitempty" doc:"In the body, at this path"`
}

// EventIDSpec tells where the provider's id of a webhook is in a request.
type EventIDSpec struct {
	Header string `json:"header,omitempty" doc:"In a header of this name"`
	JSON   string `json:"json,omitempty" doc:"In the body, at this path"`
	Body   bool   `json:"body,omitempty" doc:"It is a hash of the body"`
}

// EndpointSpec is an endpoint.
type EndpointSpec struct {
	Name        string            `json:"name" example:"shipping"`
	URL         string            `json:"url" example:"https://shipping.example.com/hooks"`
	Secrets     []Secret          `json:"secrets,omitempty" doc:"What signs. Left out: those that it has, or a new one"`
	Headers     map[string]Secret `json:"headers,omitempty" doc:"Headers of every request"`
	Timeout     string            `json:"timeout,omitempty" example:"15s"`
	Retry       *RetrySpec        `json:"retry,omitempty"`
	TLS         *TLSSpec          `json:"tls,omitempty"`
	RateLimit   string            `json:"rate_limit,omitempty" example:"50/s"`
	Concurrency int               `json:"concurrency,omitempty" doc:"How many requests at a time at most"`
	Auth        *AuthSpec         `json:"auth,omitempty"`
	Prove       string            `json:"prove,omitempty" doc:"ping or options: what it must answer before its first delivery"`
	Ordered     *OrderedSpec      `json:"ordered,omitempty" doc:"Deliveries keep the order of acceptance"`

	Envelope   string  `json:"envelope,omitempty" doc:"Of a destination in AWS: raw or json" example:"json"`
	Group      string  `json:"group,omitempty" doc:"Of SQS, SNS and Kinesis: a template of the message group or partition key" example:"{data.customer.id}"`
	DetailType string  `json:"detail_type,omitempty" doc:"Of a bus: a template of the detail type"`
	BusSource  string  `json:"bus_source,omitempty" doc:"Of a bus: a template of the source"`
	Stream     string  `json:"stream,omitempty" doc:"Of Logs: a template of the log stream"`
	Claim      string  `json:"claim,omitempty" doc:"s3: what is too large for the service is sent as a pointer"`
	Region     string  `json:"region,omitempty" doc:"Of an S3 bucket: its region, if it is not the relay's"`
	Wait       bool    `json:"wait,omitempty" doc:"Of Lambda and Step Functions: wait for the end"`
	Role       string  `json:"role,omitempty" doc:"Of a destination in AWS: the ARN of the role to assume"`
	ExternalID *Secret `json:"external_id,omitempty" doc:"What the role's trust policy asks for"`

	Send map[string]json.RawMessage `json:"send,omitempty" doc:"By source: what it gets in place of the webhook, as send of a subscription in the file" example:"{\"github\":{\"preset\":\"slack\"}}"`
}

// RetrySpec tells when a delivery is attempted again.
type RetrySpec struct {
	Schedule []string `json:"schedule,omitzero" doc:"The waits between the attempts"`
	MaxAge   string   `json:"max_age,omitempty" doc:"A delivery that is older dies"`
	Final    []string `json:"final,omitempty" doc:"Answers after which no attempt follows"`
}

// TLSSpec has what a connection to an endpoint needs, in PEM.
type TLSSpec struct {
	Certificate string  `json:"certificate,omitempty"`
	Key         *Secret `json:"key,omitempty"`
	CA          string  `json:"ca,omitempty"`
}

// OrderedSpec tells which deliveries keep their order.
type OrderedSpec struct {
	Key string `json:"key,omitempty" doc:"Only those with the same value at this path of the body"`
}

// AuthSpec is how requests are authenticated, beside their signature. One block is set.
type AuthSpec struct {
	Basic    *BasicAuthSpec `json:"basic,omitempty"`
	Bearer   *Secret        `json:"bearer,omitempty"`
	APIKey   *APIKeySpec    `json:"api_key,omitempty"`
	OAuth2   *OAuth2Spec    `json:"oauth2,omitempty"`
	HMAC     *HMACSpec      `json:"hmac,omitempty"`
	Provider string         `json:"provider,omitempty" doc:"Sign as this provider does"`
	SigV4    *SigV4Spec     `json:"sigv4,omitempty"`
	Secret   *Secret        `json:"secret,omitempty" doc:"For hmac and provider"`
	Standard *bool          `json:"standard,omitempty" doc:"For hmac and provider: send the headers of Standard Webhooks too (default)"`
}

// BasicAuthSpec is a user name and a password.
type BasicAuthSpec struct {
	Username Secret `json:"username"`
	Password Secret `json:"password"`
}

// APIKeySpec is a key in a header or in the URL.
type APIKeySpec struct {
	Header string `json:"header,omitempty"`
	Query  string `json:"query,omitempty"`
	Value  Secret `json:"value"`
}

// OAuth2Spec gets access tokens with client credentials.
type OAuth2Spec struct {
	TokenURL     string   `json:"token_url"`
	ClientID     Secret   `json:"client_id"`
	ClientSecret Secret   `json:"client_secret"`
	Scopes       []string `json:"scopes,omitempty"`
	Audience     string   `json:"audience,omitempty"`
	Style        string   `json:"style,omitempty"`
}

// SigV4Spec signs for AWS.
type SigV4Spec struct {
	Service    string  `json:"service"`
	Region     string  `json:"region"`
	Role       string  `json:"role,omitempty" doc:"The ARN of the role to assume"`
	ExternalID *Secret `json:"external_id,omitempty" doc:"What the role's trust policy asks for"`
}

// SubscriptionSpec is a subscription.
type SubscriptionSpec struct {
	Name     string          `json:"name" example:"github-shipping"`
	Source   string          `json:"source" example:"github"`
	Endpoint string          `json:"endpoint" example:"shipping"`
	Types    []string        `json:"types,omitempty" doc:"The event types. Left out: all"`
	Filter   json.RawMessage `json:"filter,omitempty" doc:"An event pattern: docs/configuration.md"`
}

func specOfSource(s catalog.Source) SourceSpec {
	v := s.Verify
	out := SourceSpec{
		Name: s.Name, Provider: v.Provider, Secrets: maskedAll(s.Secrets), HMAC: specOfHMAC(v.HMAC),
		Once: v.Once, URL: v.URL, AllowedIPs: v.AllowedIPs, Settings: maskedValues(v.Settings),
		Validate: string(s.Validation), Types: mapped(s.Types, specOfType),
		Expect: durationText(s.Expect),
	}
	if s.Tenant != nil {
		out.Tenant = &TenantOfSpec{*s.Tenant}
	}
	if l := v.EventType; l != nil {
		out.EventType = &EventTypeSpec{Header: l.Header, JSON: l.JSON}
	}
	if l := v.EventID; l != nil {
		out.EventID = &EventIDSpec{Header: l.Header, JSON: l.JSON, Body: l.Body}
	}
	return out
}

func maskedValues(values map[string]string) map[string]Secret {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]Secret, len(values))
	for name, value := range values {
		out[name] = masked(value)
	}
	return out
}

func specOfHMAC(h *verify.HMAC) *HMACSpec {
	if h == nil {
		return nil
	}
	return &HMACSpec{
		Header: h.Header, Algorithm: h.Algorithm, Encoding: h.Encoding, Key: h.Key,
		Prefix: h.Prefix, Payload: h.Payload, TimestampHeader: h.TimestampHeader,
		TimestampJSON: h.TimestampJSON, TimestampFormat: h.TimestampFormat,
		IDHeader: h.IDHeader, Tolerance: durationText(h.Tolerance),
	}
}

// durationText returns a duration as the file has it; "" for 0.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func specOfEndpoint(e catalog.Endpoint) EndpointSpec {
	out := EndpointSpec{
		Name: e.Name, URL: e.URL, Secrets: maskedAll(e.Secrets), Headers: maskedValues(e.Header),
		Timeout: durationText(e.Timeout), Retry: specOfRetry(e), Concurrency: e.Concurrency,
		Auth: specOfAuth(e.Auth), Prove: string(e.Prove),
	}
	out.RateLimit = catalog.Rate{Count: e.RateLimit, Per: e.RatePer}.String()
	if t := e.TLS; t != nil {
		out.TLS = &TLSSpec{Certificate: string(t.Certificate), CA: string(t.Authorities)}
		if len(t.Key) > 0 {
			out.TLS.Key = new(masked(string(t.Key)))
		}
	}
	if o := e.Destination; o != nil {
		aimSpec(&out, *o, e.Auth)
	}
	for source, spec := range e.Sends {
		if out.Send == nil {
			out.Send = map[string]json.RawMessage{}
		}
		out.Send[source] = json.RawMessage(spec)
	}
	if e.Order.On {
		out.Ordered = &OrderedSpec{Key: e.Order.Key}
	}
	return out
}

// aimSpec writes what an endpoint says about its destination, in place of how it authenticates.
func aimSpec(out *EndpointSpec, o destination.Options, a *catalog.Auth) {
	out.Envelope, out.Group, out.Wait = string(o.Envelope), o.Group, o.Wait
	out.DetailType, out.BusSource = o.DetailType, o.BusSource
	out.Stream, out.Region, out.Claim = o.Stream, o.Region, o.Claim
	out.Auth, out.Secrets = nil, nil // they sign nothing
	if a != nil && a.SigV4 != nil {
		out.Role, out.ExternalID = a.SigV4.Role, maskedIf(a.SigV4.ExternalID)
	}
}

// maskedIf masks a secret; nil for none.
func maskedIf(secret string) *Secret {
	if secret == "" {
		return nil
	}
	return new(masked(secret))
}

func specOfRetry(e catalog.Endpoint) *RetrySpec {
	if e.Schedule == nil && e.MaxAge == 0 && len(e.Final) == 0 {
		return nil
	}
	out := &RetrySpec{MaxAge: durationText(e.MaxAge), Final: e.Final}
	if e.Schedule != nil {
		out.Schedule = mapped(e.Schedule, time.Duration.String)
	}
	return out
}

func specOfAuth(a *catalog.Auth) *AuthSpec {
	if a == nil {
		return nil
	}
	out := &AuthSpec{}
	switch {
	case a.Basic != nil:
		out.Basic = &BasicAuthSpec{
			Username: masked(a.Basic.Username), Password: masked(a.Basic.Password),
		}
	case a.APIKey != nil:
		out.APIKey = &APIKeySpec{
			Header: a.APIKey.Header, Query: a.APIKey.Query, Value: masked(a.APIKey.Value),
		}
	case a.OAuth2 != nil:
		out.OAuth2 = &OAuth2Spec{
			TokenURL: a.OAuth2.TokenURL, ClientID: masked(a.OAuth2.ClientID),
			ClientSecret: masked(a.OAuth2.ClientSecret), Scopes: a.OAuth2.Scopes,
			Audience: a.OAuth2.Audience,
		}
		if a.OAuth2.InBody {
			out.OAuth2.Style = "body"
		}
	case a.SigV4 != nil:
		out.SigV4 = &SigV4Spec{
			Service: a.SigV4.Service, Region: a.SigV4.Region, Role: a.SigV4.Role,
			ExternalID: maskedIf(a.SigV4.ExternalID),
		}
	case a.Signature != nil:
		out.Secret = new(masked(a.Signature.Secret))
		if a.Signature.Alone {
			out.Standard = new(false)
		}
		if out.HMAC = specOfHMAC(a.Signature.HMAC); out.HMAC == nil {
			out.Provider = a.Signature.Provider
		}
	default:
		out.Bearer = new(masked(a.Bearer))
	}
	return out
}

func specOfSubscription(s catalog.Subscription) SubscriptionSpec {
	out := SubscriptionSpec{
		Name: s.Name, Source: s.Source, Endpoint: s.Endpoint, Types: s.Types,
	}
	if s.Filter != "" {
		out.Filter = json.RawMessage(s.Filter)
	}
	return out
}
