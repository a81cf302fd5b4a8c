package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

// maxForm is the largest form that is read before it is known who sends it.
const maxForm = 4 << 10

// cookieName is the name of the session's cookie. The prefix __Host- makes a browser take it over
// https only, from this host only; on this machine there is no https. Each portal has a cookie of
// its own, so that a person can be in two of them.
func (v *visit) cookieName() string {
	name := "relay-console"
	if v.inPortal() {
		name = "relay-portal-" + v.owner.ID
	}
	return v.prefixed(name)
}

func (v *visit) prefixed(name string) string {
	if v.Local {
		return name
	}
	return "__Host-" + name
}

// setCookie sets a cookie. In a frame of another site a browser keeps it only if it is partitioned:
// kept for this site in frames of that one.
func (v *visit) setCookie(name, value string, seconds int) {
	c := &http.Cookie{ //nolint:gosec // on this machine there is no https
		Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: !v.Local,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if v.embedded() && !v.Local {
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	http.SetCookie(v.w, c)
}

func (v *visit) clearCookie() {
	if _, err := v.r.Cookie(v.cookieName()); err == nil {
		v.setCookie(v.cookieName(), "", -1)
	}
}

// identify finds the session of a request. Error: access.ErrNoSession.
func (v *visit) identify() error {
	cookie, err := v.r.Cookie(v.cookieName())
	if err != nil {
		return access.ErrNoSession
	}
	s, err := v.sessions.Session(v.r.Context(), cookie.Value)
	if err == nil && !v.takes(s) {
		err = access.ErrNoSession
	}
	if err == nil {
		v.session = s
	}
	return err
}

// takes reports whether a session is one of this site.
func (v *visit) takes(s access.Session) bool {
	return s.OfPortal() == v.inPortal() && (!v.inPortal() || s.Tenant == v.owner.ID)
}

// signedOut answers a request without a session.
func (v *visit) signedOut(path string) error {
	if v.r.Method != http.MethodGet {
		return &admin.Problem{
			Title: "You are signed out", Status: http.StatusUnauthorized,
			Detail: "Nothing was changed. Sign in and do it again.",
		}
	}
	if v.inPortal() {
		return v.show(
			http.StatusUnauthorized, page{title: "You are signed out"}, signedOutPage(v),
		)
	}
	to := "/login"
	if path != "" && path != "/" {
		q := url.Values{"to": {v.r.URL.RequestURI()}}
		to += "?" + q.Encode()
	}
	v.redirect(v.to(to))
	return nil
}

// start gives the browser a session that was opened, and shows the page that it is for.
func (v *visit) start(secret string, s access.Session, to string) error {
	v.setCookie(v.cookieName(), secret, int(s.ExpiresAt.Sub(v.Now()).Seconds()))
	if !strings.HasPrefix(to, v.base+"/") { // an address of somebody else
		to = v.base
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// login shows the form for a token, and opens a session with it.
func (v *visit) login() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if v.r.Method != http.MethodPost {
		return v.ok(page{title: "Sign in"}, loginPage(v))
	}
	token := strings.TrimSpace(v.r.PostFormValue("token"))
	secret, s, err := v.sessions.Open(v.r.Context(), token)
	switch {
	case errors.Is(err, access.ErrMalformed), errors.Is(err, access.ErrUnknown),
		errors.Is(err, access.ErrExpired):
		v.problem = &admin.Problem{
			Title: "This is no valid token", Status: http.StatusUnauthorized,
			Detail: "It was cut off, has expired, was revoked, or is of another relay.",
		}
		return v.ok(page{title: "Sign in"}, loginPage(v))
	case err != nil:
		return err
	}
	return v.start(secret, s, v.r.PostFormValue("to"))
}

// byLink shows the form for the code of a link, which the script sends, and opens a session.
func (v *visit) byLink() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if v.r.Method != http.MethodPost {
		v.probe()
		return v.ok(page{title: "Sign in"}, enterPage(v))
	}
	code := strings.TrimSpace(v.r.PostFormValue("code"))
	if i := strings.LastIndexByte(code, '#'); i >= 0 { // the whole link
		code = code[i+1:]
	}
	if !v.keepsCookies() {
		return v.ok(page{title: "Sign in"}, windowPage(v, code))
	}
	secret, s, err := v.sessions.Enter(v.r.Context(), code)
	if err == nil && !v.takes(s) {
		// it is of another site, which is none of this browser's business
		err = errors.Join(access.ErrLink, v.sessions.End(v.r.Context(), secret))
	}
	if errors.Is(err, access.ErrLink) {
		v.problem = &admin.Problem{
			Title: "This link is not valid", Status: http.StatusUnauthorized,
			Detail: "It was used before, or has expired. Ask for a new one.",
		}
		return v.ok(page{title: "Sign in"}, enterPage(v))
	}
	if err != nil {
		return err
	}
	if v.inPortal() && s.Next != "" {
		s.Next = v.root + s.Next
	}
	return v.start(secret, s, s.Next)
}

// logout ends the session.
func (v *visit) logout() error {
	cookie, err := v.r.Cookie(v.cookieName())
	if err != nil {
		return err
	}
	if err := v.sessions.End(v.r.Context(), cookie.Value); err != nil {
		return err
	}
	v.clearCookie()
	to := "/login"
	if v.inPortal() {
		to = "/"
	}
	v.redirect(v.to(to))
	return nil
}
