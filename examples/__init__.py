"""Programs that use Gradmark as its users do: over HTTP."""
