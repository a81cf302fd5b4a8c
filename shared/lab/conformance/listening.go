package conformance

import (
	"testing"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// catalogListening: the mark is in the operator's state, later revisions replace it, and the
// catalog's own changes neither change it nor are changed by it.
func catalogListening(t *testing.T, c CatalogUnderTest) {
	t.Helper()
	marked := func() catalog.Listening {
		t.Helper()
		s, err := c.State(t.Context(), "")
		must(t, "State", err)
		return s.Listening
	}
	equal(t, "the mark of a new store", catalog.Listening{}, marked())
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first := catalog.Listening{Since: at, Until: at.Add(time.Hour), Revision: 3}
	must(t, "MarkListening", c.MarkListening(t.Context(), first))
	equal(t, "the mark", first, marked())
	must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), fullCatalog(), 0))
	equal(t, "the mark beside a new catalog", first, marked())

	for _, m := range []catalog.Listening{
		{Since: at, Revision: 2}, {Since: at.Add(time.Hour), Revision: 3},
	} {
		must(t, "MarkListening, late", c.MarkListening(t.Context(), m))
		equal(t, "the mark of the latest revision", first, marked())
	}
	last := catalog.Listening{Since: at, Revision: 4}
	must(t, "MarkListening", c.MarkListening(t.Context(), last))
	equal(t, "the mark without listeners", last, marked())
	_, revision, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	equal(t, "the catalog's revision", int64(1), revision)
	other, err := c.State(t.Context(), "acme")
	must(t, "State of a tenant", err)
	equal(t, "the mark of a tenant", catalog.Listening{}, other.Listening)
}
