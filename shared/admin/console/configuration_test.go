package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// configured returns a relay with n resources of each kind, and a browser of its administrator.
func configured(t testing.TB, n int) (*rig, *browser) {
	t.Helper()
	r := newRig(t)
	var c catalog.Catalog
	for i := range n {
		name := fmt.Sprintf("n%04d", i)
		c.Sources = append(c.Sources, catalog.Source{Name: name})
		c.Sources[i].Verify.Provider = "none"
		c.Endpoints = append(c.Endpoints, catalog.Endpoint{
			Name: name, URL: "http://localhost:1/hooks", Secrets: []string{"whsec_eA=="},
			SecretsMade: true,
		})
		c.Subscriptions = append(c.Subscriptions, catalog.Subscription{
			Name: name, Source: name, Endpoint: name,
		})
	}
	must(t, r.catalog.For("").ReplaceCatalog(t.Context(), c, 0))
	return r, r.signedIn(access.Admin, "")
}

// shownFile returns the file that the page of the configuration shows to be changed.
func shownFile(t testing.TB, page string) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)<textarea id="text"[^>]*>(.*?)</textarea>`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no field for a file: %s", page)
	}
	return html.UnescapeString(found[1])
}

// TestALargeConfigurationIsNotShown: up to 100 of each kind are shown as a file, which is the one
// that is downloaded. Of more nothing is shown, because a part of a file would be planned as the
// removal of the rest.
func TestALargeConfigurationIsNotShown(t *testing.T) {
	t.Parallel()
	for n, kind := range map[int]string{100: "", 101: "sources"} {
		_, b := configured(t, n)
		page, file := text(b.get("/configuration")), text(b.get("/configuration/file"))
		if strings.Count(file, "- name:") != 3*n {
			t.Errorf("%d of each kind are downloaded as %.1000s", n, file)
		}
		want := file
		if kind != "" {
			want = ""
		}
		if shown := shownFile(t, page); shown != want {
			t.Errorf("of %d of each kind it shows %q", n, shown)
		}
		if told := strings.Contains(page, "more than 100 "+kind); told != (kind != "") {
			t.Errorf("%d of each kind: %.4000s", n, page)
		}
	}
}

// TestAnyLargeKindIsToldOf: one kind alone may be large.
func TestAnyLargeKindIsToldOf(t *testing.T) {
	t.Parallel()
	r, b := configured(t, 1)
	c, revision, err := r.catalog.For("").LoadCatalog(t.Context())
	must(t, err)
	for i := range 100 {
		c.Subscriptions = append(c.Subscriptions, catalog.Subscription{
			Name: fmt.Sprint("more-", i), Source: "n0000", Endpoint: "n0000",
		})
	}
	must(t, r.catalog.For("").ReplaceCatalog(t.Context(), c, revision))
	page := text(b.get("/configuration"))
	if shownFile(t, page) != "" || !strings.Contains(page, "more than 100 subscriptions") {
		t.Error(page)
	}
}

var planLine = regexp.MustCompile(`<li class="([a-z]+)"><code>.</code>\s*([^<]*)</li>`)

// TestAFileOfThousandsIsPlannedAndApplied: what is changed in a large file is planned, nothing else
// is, and it is applied.
func TestAFileOfThousandsIsPlannedAndApplied(t *testing.T) {
	t.Parallel()
	_, b := configured(t, 1000)
	file := strings.NewReplacer(
		`n0007
  url: "http://localhost:1/hooks"`, `n0007
  url: "http://localhost:1/other"`,
		"- name: n0999\n  source: n0999\n  endpoint: n0999\n",
		"- name: new\n  source: n0998\n  endpoint: n0999\n",
	).Replace(text(b.get("/configuration/file")))

	page := text(b.post("/configuration", url.Values{"text": {file}}))
	var planned []string
	for _, found := range planLine.FindAllStringSubmatch(page, -1) {
		planned = append(planned, found[1]+" "+strings.TrimSpace(found[2]))
	}
	if want := []string{
		"remove subscription n0999 → n0999", "change endpoint n0007: url",
		"add subscription n0998 → n0999",
	}; !slices.Equal(planned, want) {
		t.Fatalf("planned are %q", planned)
	}
	if shown := shownFile(t, page); shown != strings.TrimSpace(file) {
		t.Error("the page shows another file than was sent", cmp.Diff(file, shown))
	}

	forms := linksOf(t, b.base, "/configuration", []byte(page)).forms
	at := slices.IndexFunc(forms, func(f form) bool { return f.action == "/configuration/apply" })
	if at < 0 {
		t.Fatalf("no form applies it: %v", forms)
	}
	forms[at].values.Set("remove", "yes")
	if a := b.post("/configuration/apply", forms[at].values); a.Code != http.StatusOK {
		t.Fatalf("applied: %d %s", a.Code, a.Body)
	}
	if applied := text(b.get("/configuration/file")); applied != file {
		t.Error(cmp.Diff(file, applied))
	}
}

// BenchmarkPlan measures the CPU of the page that shows what a file with 1,000 resources of each
// kind would change: one of them, or all.
func BenchmarkPlan(b *testing.B) {
	_, visitor := configured(b, 1000)
	file := text(visitor.get("/configuration/file"))
	for name, changed := range map[string]int{"one": 1, "all": -1} {
		b.Run(name, func(b *testing.B) {
			form := url.Values{"text": {strings.Replace(file, "/hooks", "/other", changed)}}
			begin := cpu()
			for b.Loop() {
				visitor.post("/configuration", form)
			}
			b.ReportMetric(float64(cpu()-begin)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}
