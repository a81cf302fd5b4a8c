// Command jq runs the jq programs of transforms. It lies beside the function deliver, which starts
// it when a transform needs it, and talks to it over pipes. It is a program of its own because the
// interpreter would make each start of the function slower.
package main

import "webhook-relay/shared/transform/jq/program"

func main() { program.Main() }
