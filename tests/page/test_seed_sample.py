"""The JavaScript sample of the published API (seed 001), where its addresses lead: in a page of the arena."""

from __future__ import annotations

from tests.browser import Visit
from tests.page.rig import Site
from tests.page.upstream import Talker

# As it is printed there, but for the braces: it declares `response` twice.
SAMPLE = r"""
// List models
const models = await fetch('/api/models')
  .then(r => r.json())
  .then(data => data.models);

// Chat
{
const response = await fetch('/api/chat', {
  method: 'POST',
  headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({
    history: [{role: 'user', content: 'Hello!'}],
    models: ['llama3.2:3b']
  })
});
const result = await response.json();
console.log(models.join(), result.response);
}

// Stream chat
const response = await fetch('/api/stream_chat', {
  method: 'POST',
  headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({
    history: [{role: 'user', content: 'Tell me a story'}],
    models: ['llama3.2:3b']
  })
});

const reader = response.body.getReader();
const decoder = new TextDecoder();

while (true) {
  const {done, value} = await reader.read();
  if (done) break;

  const chunk = decoder.decode(value);
  const lines = chunk.split('\n').filter(l => l.trim());

  for (const line of lines) {
    const token = JSON.parse(line);
    console.log(token.model, token.token);
  }
}
"""


def test_the_javascript_sample(site: Site, visit: Visit) -> None:
    site.upstream.models = {"llama3.2:3b": Talker(["Once ", 0.05, "upon", 0.05, " a time."])}
    said: list[str] = []
    visit.page.on("console", lambda message: said.append(message.text))
    visit.page.goto(site.at())
    visit.page.evaluate(f"async () => {{ {SAMPLE} }}")
    model = "llama3.2:3b"
    assert said == [
        f"{model} Once upon a time.",
        f"{model} Once ",
        f"{model} upon",
        f"{model}  a time.",
        f"{model} ",
    ]
