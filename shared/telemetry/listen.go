package telemetry

import (
	"context"
	"log/slog"
)

// CopiesDropped logs that copies of events could not be sent to a listener, "": to any. No alarm
// looks at it: a copy is no delivery.
func (l Log) CopiesDropped(ctx context.Context, listener string, copies int, err error) {
	l.log(ctx, slog.LevelWarn, "dropped", err, append(make([]slog.Attr, 0, room),
		slog.String("listener", listener), slog.Int("copies", copies)))
}
