package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// editable is how many resources of each kind a configuration may have to be shown as a file that
// can be changed on the page. A larger one is changed in an editor, and would take the page longer
// than all others.
const editable = 100

// configData is what the page of the configuration shows.
type configData struct {
	text  string         // the file; "": it is not shown
	large kind           // of which there are more than editable; the zero value: of none
	plan  *admin.Planned // nil: not planned yet
	etag  string         // of the plan
	done  *admin.Applied // nil: not applied
}

// removes returns how many things a plan removes.
func (d configData) removes() int {
	n := 0
	if d.plan != nil {
		for _, c := range d.plan.Changes {
			if c.Action == "remove" {
				n++
			}
		}
	}
	return n
}

// rows returns how high the field of the file is.
func (d configData) rows() string {
	if d.text == "" {
		return "10"
	}
	return "28"
}

// configuration shows the configuration as it is, as a file.
func (v *visit) configuration() error { return v.configurationWith(configData{}) }

// configurationWith shows the file that was sent, or else the configuration as it is.
func (v *visit) configurationWith(d configData) (err error) {
	if d.text = v.field("text", ""); d.text == "" {
		if d.text, d.large, err = v.editableFile(); err != nil {
			return err
		}
	}
	return v.ok(page{title: "Configuration", nav: "/configuration"}, configurationPage(v, d))
}

// editableFile returns the configuration as a file, or else the kind of which it has more than
// editable.
func (v *visit) editableFile() (text string, large kind, err error) {
	for _, k := range kinds {
		found, err := get[struct{ Next string }](v, "/v1/"+k.plural, url.Values{
			"limit": {strconv.Itoa(editable)},
		})
		if err != nil {
			return "", kind{}, err
		}
		if found.Next != "" {
			return "", k, nil
		}
	}
	file, err := v.exported()
	return string(file), kind{}, err
}

// exported returns the configuration as a file.
func (v *visit) exported() ([]byte, error) {
	answer, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodGet, Path: "/v1/export",
	})
	return answer.Body, err
}

// options are the parameters of plan and apply that the form has.
func (v *visit) configOptions() url.Values {
	q := url.Values{}
	if v.field("adopt", "") != "" {
		q.Set("adopt", "true")
	}
	return q
}

// file is the file of the form, with the values of its variables.
func (v *visit) file() admin.File {
	f := admin.File{File: v.field("text", ""), Variables: map[string]string{}}
	for line := range strings.Lines(v.field("variables", "")) {
		if name, value, ok := strings.Cut(line, "="); ok {
			f.Variables[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return f
}

func (v *visit) plan() (configData, error) {
	answer, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPost, Path: "/v1/plan", Query: v.configOptions(),
		Body: v.file(),
	})
	if err != nil {
		return configData{}, err
	}
	p, err := decode[admin.Planned](answer.Body)
	return configData{plan: &p, etag: answer.Header.Get("ETag")}, err
}

func (v *visit) planConfiguration() error {
	d, err := v.plan()
	if err != nil {
		return v.refused(err, (*visit).configuration)
	}
	return v.configurationWith(d)
}

// applyConfiguration applies the file that was planned. What it removes was shown and agreed to.
func (v *visit) applyConfiguration() error {
	q := v.configOptions()
	if v.field("remove", "") != "" {
		q.Set("remove", "true")
	}
	answer, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPost, Path: "/v1/apply", Query: q,
		Header: http.Header{"If-Match": {v.field("etag", "")}}, Body: v.file(),
	})
	if err != nil {
		return v.refused(err, (*visit).configuration)
	}
	done, err := decode[admin.Applied](answer.Body)
	if err != nil {
		return err
	}
	return v.configurationWith(configData{done: &done})
}

// exportFile passes the configuration on, as a file.
func (v *visit) exportFile() error {
	file, err := v.exported()
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Disposition", `attachment; filename="relay.yaml"`)
	_, _ = v.w.Write(file) // the client may have gone
	return nil
}
