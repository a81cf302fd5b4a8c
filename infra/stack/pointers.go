package stack

import "github.com/aws/aws-cdk-go/awscdk/v2"

// The CDK takes every value by pointer. Literals are written new("…"). Other values use these
// helpers.

func number(n int) *float64 { return new(float64(n)) }

func seconds(n int) awscdk.Duration { return awscdk.Duration_Seconds(number(n)) }

func days(n int) awscdk.Duration { return awscdk.Duration_Days(number(n)) }

func list[T any](items ...T) *[]T { return &items }

// whenTrue returns nil for false, so a property whose default is false is omitted.
func whenTrue(on bool) *bool {
	if !on {
		return nil
	}
	return &on
}

// ifSet returns nil for an empty text, so the property is omitted.
func ifSet(text *string) *string {
	if *text == "" {
		return nil
	}
	return text
}

func pointers(items []string) *[]*string {
	p := make([]*string, len(items))
	for i := range items {
		p[i] = &items[i]
	}
	return &p
}

func pointerMap(m map[string]string) *map[string]*string {
	p := make(map[string]*string, len(m))
	for k, v := range m {
		p[k] = &v
	}
	return &p
}
