package operate

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// exportPartBytes is the size at which a file of an export is written, and exportSaveAfter the
// time. A file is at most some 64 KB larger, so that one answer of the admin API can hold it.
const (
	exportPartBytes = 2 << 20
	exportSaveAfter = 5 * time.Second
)

// ErrExportTooLarge means that an export has more than MaxExportParts files.
var ErrExportTooLarge = errors.New("relay: export too large; plan several with shorter times")

// ExportedEvent is a line of an export.
type ExportedEvent struct {
	ID         string       `json:"id"`
	Source     string       `json:"source"`
	Type       string       `json:"type,omitempty"`
	Trust      string       `json:"trust,omitempty"`
	ReceivedAt time.Time    `json:"receivedAt"`
	DeliveryID string       `json:"deliveryId,omitempty"` // the provider's own id
	Header     relay.Header `json:"headers,omitempty"`
	Body       []byte       `json:"body,omitempty"` // base64
	// bytes of a large body, which is not in the line: /v1/events/{id}/body has it
	LargeBody int `json:"largeBody,omitempty"`
}

// export writes the events of the job's set. The progress is saved with each file. So a worker that
// follows a killed one writes again what was in no saved file, under another name.
func (w *jobWorker) export() (err error) {
	written := w.job.step
	defer func() {
		if err != nil {
			w.job.step = written // what is not in a file is listed again
		}
	}()
	for w.timeLeft() {
		if w.job.step.End {
			if err := w.writePart(); err != nil {
				return err
			}
			w.end(JobDone)
			return nil
		}
		items, err := w.list()
		if err == nil {
			err = w.addLines(items)
		}
		if err != nil {
			return err
		}
		if len(w.part) < exportPartBytes && w.cfg.Now().Sub(w.savedAt) < exportSaveAfter {
			continue
		}
		if err := w.writePart(); err != nil {
			return err
		}
		if err := w.save(); err != nil {
			return err
		}
		written = w.job.step
	}
	return w.writePart()
}

// addLines adds the records of events to the part.
func (w *jobWorker) addLines(items []JobItem) error {
	records := make([]*relay.EventRecord, len(items))
	if err := each(indexes(items), func(i int) error {
		r, err := w.cfg.Records.EventRecord(w.ctx, items[i].EventID)
		if err == nil {
			records[i] = &r
		}
		if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, format.ErrFormat) {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	for _, r := range records {
		if r == nil {
			w.gone++
			continue
		}
		body := r.Body
		if r.BodyRef == nil {
			var err error
			if body, err = r.Content(w.ctx, nil); err != nil {
				return err
			}
		}
		line := ExportedEvent{
			ID: r.ID, Source: ownName(w.job.Tenant, r.Source), Type: r.Type,
			Trust: string(r.Trust), ReceivedAt: r.ReceivedAt, DeliveryID: r.DeliveryID,
			Header: r.Header, Body: body,
		}
		if r.BodyRef != nil {
			line.LargeBody = r.BodyRef.Size
		}
		w.part = append(append(w.part, format.Encode(line)...), '\n')
		w.lines++
	}
	return nil
}

// writePart writes the lines to a file of their own.
func (w *jobWorker) writePart() error {
	w.job.Progress.Skipped += w.gone
	w.gone = 0
	if w.lines == 0 {
		return nil
	}
	if len(w.job.Parts) >= MaxExportParts {
		w.job.Error = ErrExportTooLarge.Error()
		w.end(JobFailed)
		return nil
	}
	key := fmt.Sprintf("exports/%s/%s/%05d-%s", cmp.Or(w.job.Tenant, "-"), w.job.ID,
		len(w.job.Parts)+1, w.id)
	if err := w.cfg.Bodies.Put(w.ctx, key, w.part); err != nil {
		return err
	}
	w.job.Parts = append(w.job.Parts, key)
	w.job.Progress.Done += w.lines
	w.part, w.lines = nil, 0
	return nil
}
