package main

import (
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/operate"
)

// bar shows the progress of a job on a terminal: how far, how fast, and how long it still takes.
type bar struct {
	inv      *invocation
	progress *mpb.Progress
	bar      *mpb.Bar
}

func newBar(inv *invocation) *bar { return &bar{inv: inv} }

// show shows where a job is.
func (b *bar) show(j admin.Job) {
	if !b.inv.Asks || j.Matches == 0 {
		return
	}
	done := int64(j.Done + j.Failed + j.Skipped)
	if b.bar == nil {
		width := b.inv.Width
		if width == 0 {
			width = defaultWidth
		}
		b.progress = mpb.New(mpb.WithOutput(b.inv.Err), mpb.WithWidth(width), mpb.WithAutoRefresh())
		b.bar = b.progress.New(
			int64(j.Matches),
			mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding(" ").Rbound("▏"),
			mpb.PrependDecorators(decor.Name(verbOf(j)+" "), decor.CountersNoUnit("%d of %d ")),
			mpb.AppendDecorators(
				decor.AverageSpeed(0, " %.0f/s"), decor.Name(", "),
				decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left"),
			),
		)
	}
	b.bar.SetCurrent(done)
}

// defaultWidth is that of a terminal that does not tell it.
const defaultWidth = 80

func verbOf(j admin.Job) string {
	if j.Kind == string(operate.JobExport) {
		return "written"
	}
	return "sent"
}

// end leaves the bar as it is.
func (b *bar) end() {
	if b.bar == nil {
		return
	}
	b.bar.Abort(false)
	b.progress.Wait()
	b.bar = nil
}
