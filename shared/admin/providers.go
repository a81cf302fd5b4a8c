package admin

import (
	"context"
	"sort"

	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// Provider is a provider that the relay knows, and what a source of it needs. A form for a source
// can be made from it.
type Provider struct {
	Name      string   `json:"name" example:"github"`
	Title     string   `json:"title" example:"GitHub"`
	Docs      string   `json:"docs,omitempty" doc:"The provider's page on signatures"`
	Proof     string   `json:"proof,omitempty" doc:"How its webhooks are proved"`
	Trust     string   `json:"trust,omitempty" enum:"verified,authenticated,unverified"`
	Fields    []Field  `json:"fields" nullable:"false" doc:"What a source needs"`
	Handshake string   `json:"handshake,omitempty" doc:"How it checks the URL"`
	Learns    bool     `json:"learns,omitempty" doc:"The handshake brings the secret"`
	Methods   []string `json:"methods" nullable:"false"`
	Examples  []string `json:"examples,omitempty" doc:"Event types"`
	Note      string   `json:"note,omitempty"`
	Aliases   []string `json:"aliases,omitempty" doc:"Other names of it"`
}

// Field is a value that a source of a provider needs.
type Field struct {
	Key      string `json:"key" doc:"Where it is in the source's spec" example:"settings.public_key"`
	Label    string `json:"label" doc:"What the provider calls it, and where it shows it"`
	Secret   bool   `json:"secret,omitempty" doc:"It is never shown again"`
	Required bool   `json:"required,omitempty"`
	Example  string `json:"example,omitempty"`
}

type providerList struct {
	Body struct {
		Items []Provider `json:"items" nullable:"false"`
	}
}

func registerProviders(r *registrar) {
	handle(r, "providers.list", func(context.Context, *struct{}) (*providerList, error) {
		var out providerList
		for _, name := range verify.Providers() {
			d, _ := verify.Describe(name)
			out.Body.Items = append(out.Body.Items, providerOf(d))
		}
		for _, d := range trigger.Providers() {
			out.Body.Items = append(out.Body.Items, triggerOf(d))
		}
		all := out.Body.Items
		sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
		return &out, nil
	})
}

func triggerOf(d trigger.Description) Provider {
	return Provider{
		Name: d.Name, Title: d.Title, Docs: d.Docs, Trust: string(verify.Verified),
		Proof: "IAM: the policy of the source's queue names who may send", Fields: []Field{},
		Methods: []string{}, Examples: d.Examples,
		Note: "It gets nothing over HTTP: the setting triggers of the stack gives the source a " +
			"queue, such as NAME=" + d.ARN,
	}
}

func providerOf(d verify.Description) Provider {
	p := Provider{
		Name: d.Name, Title: d.Title, Docs: d.Docs, Proof: d.Proof, Trust: string(d.Trust),
		Fields: []Field{}, Handshake: d.Handshake, Learns: d.Learns, Methods: d.Methods,
		Examples: d.Examples, Note: d.Note, Aliases: d.Aliases,
	}
	if d.Secret != "" {
		p.Fields = append(p.Fields, Field{
			Key: "secrets", Label: d.Secret, Secret: true, Required: !d.Learns,
		})
	}
	if d.NeedsURL != "" {
		p.Fields = append(p.Fields, Field{
			Key: "url", Label: "the URL of this source, exactly as you give it to " + d.Title +
				": it " + d.NeedsURL, Required: true,
		})
	}
	for _, s := range d.Settings {
		p.Fields = append(p.Fields, Field{
			Key: "settings." + s.Name, Label: s.Label, Required: !s.Optional, Example: s.Example,
		})
	}
	return p
}
