package console

import (
	"slices"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/destination"
)

// Sent is what the stand-in of a destination got, on a relay of this machine.
type Sent struct {
	At      time.Time
	Event   string // id
	Attempt int
	To      string // the ARN, with an object's key
	Content string // as it was sent, or the request in the service's form
}

// destinationOptions returns what an endpoint says about its destination in AWS.
func destinationOptions(e admin.EndpointSpec) (all []option) {
	for _, o := range []option{
		{title: "Envelope", value: e.Envelope}, {title: "Group", value: e.Group},
		{title: "Detail type", value: e.DetailType}, {title: "Source", value: e.BusSource},
		{title: "Log stream", value: e.Stream}, {title: "Region", value: e.Region},
		{title: "Claim", value: e.Claim}, {title: "Role", value: e.Role},
	} {
		if o.value != "" {
			all = append(all, o)
		}
	}
	if e.Wait {
		all = append(all, option{title: "Waits", value: "for the end"})
	}
	return all
}

// mostSent is how many messages the page of an endpoint shows, the newest first.
const mostSent = 20

// sentTo returns what the stand-in of an endpoint got. shown is false if there is no stand-in: on
// AWS, for a URL, and for tenants, who have no destinations.
func (v *visit) sentTo(e admin.EndpointSpec) (all []Sent, shown bool, err error) {
	if v.Sent == nil || v.tenant != "" || v.session.Tenant != "" || !destination.Is(e.URL) {
		return nil, false, nil
	}
	if all, err = v.Sent(e.Name); err != nil {
		return nil, false, err
	}
	slices.Reverse(all)
	return all[:min(len(all), mostSent)], true, nil
}
