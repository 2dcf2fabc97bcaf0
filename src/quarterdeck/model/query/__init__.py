"""The language of filters: words, ``field:value`` and comparisons, over whatever has fields. Pure; docs/filters.md tells people."""
