package console

import (
	"encoding/json"
	"strconv"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

func (v *visit) jobs() error {
	found, err := listOf[admin.Job](v, "/v1/jobs", nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Jobs", nav: "/jobs", live: true}, jobsPage(v, found))
}

func (v *visit) job() error {
	found, err := get[admin.Job](v, client.Path("v1", "jobs", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: found.ID, nav: "/jobs", live: true}, jobPage(v, found))
}

// askJob asks before a job is run or cancelled.
func (v *visit) askJob() error {
	found, err := get[admin.Job](v, client.Path("v1", "jobs", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Run " + found.ID, nav: "/jobs"}, askJobPage(v, found))
}

func jobAction(action, said string) pageHandler {
	return func(v *visit) error {
		id := v.r.PathValue("id")
		if _, err := v.post(client.Path("v1", "jobs", id, action), nil); err != nil {
			return v.refused(err, (*visit).job)
		}
		return v.done(v.at("jobs", id), said)
	}
}

func (v *visit) jobFile() error {
	return v.download(
		client.Path("v1", "jobs", v.r.PathValue("id"), "files", v.r.PathValue("number")),
	)
}

// dead shows the dead deliveries, and the form that plans to send them again.
func (v *visit) dead() error {
	query := v.filterOf(deliveryFilter)
	query.Set("status", "dead")
	found, err := v.deliveriesOf(query)
	if err != nil {
		if err = v.badFilter(err); err != nil {
			return err
		}
	}
	endpoints, err := v.namesOf(endpointKind)
	if err != nil {
		return err
	}
	sources, err := v.namesOf(sourceKind)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Dead deliveries", nav: "/dead", live: v.query("next") == ""},
		deadPage(v, found, endpoints, sources),
	)
}

// replay shows the form that plans a job.
func (v *visit) replay() error {
	endpoints, err := v.namesOf(endpointKind)
	if err != nil {
		return err
	}
	sources, err := v.namesOf(sourceKind)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Send again", nav: "/jobs"}, replayPage(v, endpoints, sources),
	)
}

// planJob plans a job of the fields of a form, and shows it.
func (v *visit) planJob() error {
	filter := map[string]any{}
	for field, name := range map[string]string{
		"source": "sources", "endpoint": "endpoints", "type": "types", "status": "statuses",
		"reason": "reasons",
	} {
		if all := words(v.field(field, "")); len(all) > 0 {
			filter[name] = all
		}
	}
	set(filter, "from", v.field("from", ""))
	set(filter, "to", v.field("to", ""))
	if where := v.field("where", ""); where != "" {
		if !json.Valid([]byte(where)) {
			return v.refused(invalid("/where", "is no JSON"), (*visit).replay)
		}
		filter["where"] = json.RawMessage(where)
	}
	body := map[string]any{"kind": v.field("kind", ""), "filter": filter}
	if text := v.field("rate", ""); text != "" {
		rate, err := strconv.Atoi(text)
		if err != nil {
			return v.refused(invalid("/rate", "is no whole number"), (*visit).replay)
		}
		body["rate"] = rate
	}
	answer, err := v.post("/v1/jobs", body)
	if err != nil {
		return v.refused(err, (*visit).replay)
	}
	plan, err := decode[admin.JobPlan](answer.Body)
	if err != nil {
		return err
	}
	return v.done(v.at("jobs", plan.ID), "")
}

// filterText says in words what the set of a job is.
func filterText(f admin.JobFilter) string {
	var all []string
	add := func(name string, values []string) {
		if len(values) > 0 {
			all = append(all, name+" "+strings.Join(values, ", "))
		}
	}
	add("source", f.Sources)
	add("endpoint", f.Endpoints)
	add("type", f.Types)
	add("status", f.Statuses)
	add("reason", f.Reasons)
	if f.From != "" {
		all = append(all, "from "+f.From)
	}
	if f.To != "" {
		all = append(all, "to "+f.To)
	}
	if len(f.Where) > 0 {
		all = append(all, "where "+string(f.Where))
	}
	if len(all) == 0 {
		return "everything"
	}
	return strings.Join(all, " · ")
}

// jobWord is what a job does, as a person says it.
func jobWord(kind string) string {
	return map[string]string{
		"replay": "Send again", "redrive": "Send dead deliveries again", "export": "Export events",
		"backfill": "Back-fill",
	}[kind]
}

// jobUnit is what a job is about.
func jobUnit(kind string) string {
	if kind == "export" {
		return "event"
	}
	return "delivery"
}

// seconds returns a number of seconds in words.
func seconds(s float64) string {
	if s < 1 {
		return "a second"
	}
	return spanText(secondsOf(s))
}

// formOf returns the parameters by which a form of this page begins.
func (v *visit) formOf(name string) string { return v.field(name, v.query(name)) }

// deadQuery is the link to the dead deliveries of an endpoint.
func deadQuery(endpoint string) string {
	return "/dead?" + query("endpoint", endpoint)
}
