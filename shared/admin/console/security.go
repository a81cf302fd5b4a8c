package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var assets embed.FS

// mediaTypes are those of the assets.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// policy is the Content-Security-Policy: nothing but our own files, and none inside a page.
func policy(frameAncestors, images string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'" + images +
		"; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors " +
		frameAncestors
}

// secure sets the headers that hold for every answer.
func (v *visit) secure() {
	h := v.w.Header()
	frames, images := v.embedders()
	h.Set("Content-Security-Policy", policy(frames, images))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie")
	if !v.Local {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// assetVersions are hashes of the assets, by name. They are in the addresses, so that a browser
// keeps an asset for ever and still gets a new one at once.
var assetVersions = sync.OnceValue(func() map[string]string {
	versions := map[string]string{}
	files, _ := fs.Glob(assets, "assets/*") // the pattern is well formed
	for _, name := range files {
		b, _ := assets.ReadFile(name) // it is there
		sum := sha256.Sum256(b)
		versions[path.Base(name)] = hex.EncodeToString(sum[:6])
	}
	return versions
})

// assetURL returns the address of an asset.
func (v *visit) assetURL(name string) string {
	return v.root + "/assets/" + name + "?v=" + assetVersions()[name]
}

// keep lets a browser keep the answer for ever, if its address has its version.
func (v *visit) keep(version string) {
	v.w.Header().Del("Vary")
	if v.r.URL.Query().Get("v") == version {
		v.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
}

// asset serves an asset.
func (v *visit) asset(path string) {
	name := strings.TrimPrefix(path, "/assets/")
	b, err := assets.ReadFile("assets/" + name)
	if err != nil || v.r.Method != http.MethodGet {
		v.fail(errNotFound)
		return
	}
	v.w.Header().Set("Content-Type", mediaTypes[name[strings.LastIndexByte(name, '.'):]])
	v.keep(assetVersions()[name])
	_, _ = bytes.NewReader(b).WriteTo(v.w) // the client may have gone
}
