// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// withoutSecrets leaves out of settings what is a secret by the name of its key, or may hold one by its form: id:password@host. Upstream looks
// at single lines of the text, which a long value has several of.
func withoutSecrets(settings any) any {
	switch settings := settings.(type) {
	case map[string]any:
		shown := make(map[string]any, len(settings))
		for key, value := range settings {
			if text, ok := value.(string); namesSecret(key) || ok && strings.Contains(text, "@") {
				continue
			}
			shown[key] = withoutSecrets(value)
		}
		return shown
	case map[any]any: // within lists
		shown := make(map[string]any, len(settings))
		for key, value := range settings {
			shown[fmt.Sprint(key)] = value
		}
		return withoutSecrets(shown)
	case []any:
		shown := make([]any, 0, len(settings))
		for _, value := range settings {
			if text, ok := value.(string); !ok || !strings.Contains(text, "@") {
				shown = append(shown, withoutSecrets(value))
			}
		}
		return shown
	default:
		return settings
	}
}

func namesSecret(key string) bool {
	key = strings.ToLower(key)
	return key == "boot" || key == "pin" || slices.ContainsFunc([]string{"pass", "pw", "pswd", "secret"}, func(word string) bool { return strings.Contains(key, word) })
}
