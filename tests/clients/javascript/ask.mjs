// What a person does with the official `ollama` library: node ask.mjs HOST BEHAVIOUR prints its outcome as JSON.

import { Ollama } from "ollama";

const MODEL = "smollm2:135m";
const CALLER = "caller";
const FRANCE = [{ role: "user", content: "What is the capital of France? Answer in one word." }];
const PUNO = [{ role: "user", content: "What is the weather in Puno?" }];
const GREEDY = { temperature: 0, num_predict: 24 };
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const PERSON = {
  type: "object",
  properties: { name: { enum: ["Ada", "Bob"] }, age: { type: "integer", minimum: 0, maximum: 99 } },
  required: ["name", "age"],
  additionalProperties: false,
};

const [host, behaviour] = process.argv.slice(2);
const ollama = new Ollama({ host });

async function collected(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

const behaviours = {
  chat: () => ollama.chat({ model: MODEL, messages: FRANCE, options: GREEDY }),

  stream: async () => collected(await ollama.chat({ model: MODEL, messages: FRANCE, options: GREEDY, stream: true })),

  async generate() {
    const request = { model: MODEL, prompt: "Why is the sky blue?", options: GREEDY };
    const whole = await ollama.generate({ ...request });
    return { whole, parts: await collected(await ollama.generate({ ...request, stream: true })) };
  },

  async tools() {
    const request = { model: CALLER, tools: [WEATHER], options: { num_predict: 60 } };
    const { message } = await ollama.chat({ ...request, messages: PUNO });
    const parts = await collected(await ollama.chat({ ...request, messages: PUNO, stream: true }));
    const result = { role: "tool", tool_name: "weather", content: "It is sunny in Puno." };
    const answer = await ollama.chat({ ...request, messages: [...PUNO, message, result] });
    return { message, parts, answer: answer.message };
  },

  format: () =>
    ollama.chat({ model: MODEL, messages: FRANCE, format: PERSON, options: { temperature: 0, num_predict: 60 } }),

  async embeddings() {
    const { embeddings } = await ollama.embed({ model: MODEL, input: ["a small cat", "a little kitten", "tax law"] });
    const { embedding } = await ollama.embeddings({ model: MODEL, prompt: "a small cat" });
    return { embeddings, embedding };
  },

  async abort() {
    const stream = await ollama.chat({ model: MODEL, messages: PUNO, options: { num_predict: 4000 }, stream: true });
    let parts = 0;
    try {
      for await (const _ of stream) if (++parts === 2) ollama.abort();
    } catch (error) {
      return { parts, name: error.name };
    }
    return { parts };
  },

  async models() {
    await ollama.copy({ source: MODEL, destination: "copied" });
    const steps = await collected(await ollama.create({ model: "parrot", from: "copied", system: "Squawk.", stream: true }));
    const shown = await ollama.show({ model: "parrot" });
    const { models } = await ollama.list();
    for (const model of ["copied", "parrot"]) await ollama.delete({ model });
    const left = await ollama.list();
    return {
      last: steps.at(-1),
      system: shown.system,
      listed: models.map((model) => model.name),
      left: left.models.map((model) => model.name),
      running: (await ollama.ps()).models.map((model) => model.name),
      version: (await ollama.version()).version,
    };
  },

  error: () =>
    ollama
      .chat({ model: "nope", messages: FRANCE })
      .catch(({ name, message, status_code }) => ({ name, message, status_code })),
};

console.log(JSON.stringify(await behaviours[behaviour]()));
