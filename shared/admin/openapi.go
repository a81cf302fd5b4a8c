package admin

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// openAPI is the OpenAPI document, compressed. A test makes it from the code.
//
//go:embed openapi.json.gz
var openAPI []byte

// OpenAPI returns the OpenAPI document.
func OpenAPI() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(openAPI))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

type openAPIInput struct {
	AcceptEncoding string `header:"Accept-Encoding" hidden:"true"`
}

type openAPIAnswer struct {
	ContentType     string `header:"Content-Type"`
	ContentEncoding string `header:"Content-Encoding"`
	Vary            string `header:"Vary"`
	Body            []byte
}

func registerOpenAPI(r *registrar) {
	handle(r, "openapi", func(_ context.Context, in *openAPIInput) (*openAPIAnswer, error) {
		out := &openAPIAnswer{
			ContentType: "application/json", Vary: "accept-encoding",
			ContentEncoding: "gzip", Body: openAPI,
		}
		if strings.Contains(in.AcceptEncoding, "gzip") {
			return out, nil
		}
		var err error
		out.ContentEncoding = ""
		out.Body, err = OpenAPI()
		return out, err
	}, func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: http.StatusText(http.StatusOK),
			Content: map[string]*huma.MediaType{
				"application/json": {Schema: &huma.Schema{Type: "object"}},
			},
		}}
	})
}
