package admin

import (
	"context"
	"time"

	"webhook-relay/shared/relay/operate"
)

// Refused is a request to a source that was refused.
type Refused struct {
	At        time.Time `json:"at"`
	Reason    string    `json:"reason" example:"mismatch"`
	Source    string    `json:"source" doc:"As in the URL. With the reason source there is no such source"`
	Method    string    `json:"method" example:"POST"`
	RemoteIP  string    `json:"remoteIp,omitempty" doc:"Address of the client"`
	Headers   []string  `json:"headers" nullable:"false" doc:"Names of its headers, without their values"`
	BodyBytes int       `json:"bodyBytes"`
	Others    int       `json:"others" doc:"How many more were refused for the same reason since the one before, and are not listed"`
}

func registerRefused(r *registrar) {
	handle(r, "refused.list", func(
		ctx context.Context, in *Paging,
	) (*List[Refused, Scanned], error) {
		from, err := r.position(ctx, in.Next, nil)
		if err != nil {
			return nil, err
		}
		found, place, err := operate.RefusedRequests(
			ctx, r.LedgerDocuments, callOf(ctx).tenant, from, in.Limit,
		)
		if err != nil {
			return nil, err
		}
		next, err := r.seal(ctx, place, nil)
		return page(mapped(found, refusedOf), next, Scanned{Scanned: len(found)}), err
	})
}

func refusedOf(e operate.RefusedEntry) Refused {
	return Refused{
		At: e.At, Reason: string(e.Reason), Source: e.Source, Method: e.Method,
		RemoteIP: e.RemoteIP, Headers: e.Headers, BodyBytes: e.BodyBytes, Others: e.Others,
	}
}
