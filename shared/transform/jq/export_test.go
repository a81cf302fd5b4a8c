package jq

// Kill kills the process of a Runner, as the system would.
func Kill(r *Runner) {
	if r.process != nil {
		r.process.kill()
	}
}
