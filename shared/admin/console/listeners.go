package console

import (
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// listenersData is what the page of the listeners shows.
type listenersData struct {
	items[admin.ListenerView]

	off string // why nobody can listen; "": one can
}

func (v *visit) listeners() error {
	var d listenersData
	found, err := get[items[admin.ListenerView]](v, "/v1/listeners", nil)
	switch {
	case err == nil:
		d.items = found
	case problemOf(err).Status == http.StatusConflict:
		d.off = problemOf(err).Detail
	default:
		return err
	}
	return v.ok(page{title: "Listeners", nav: "/listeners", live: true}, listenersPage(v, d))
}

// askEndListener asks before a listener ends.
func (v *visit) askEndListener() error {
	return v.ok(
		page{title: "End a listener", nav: "/listeners"},
		endListenerPage(v, v.r.PathValue("id"), v.query("by")),
	)
}

func (v *visit) endListener() error {
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "listeners", v.r.PathValue("id")),
	})
	if err != nil {
		return err
	}
	return v.done(v.to("/listeners"), "unheard")
}
