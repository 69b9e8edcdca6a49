// The binary form of bodies and replies, for browsers and Node: no library needed.
//
//   import { post, tensor } from "./tensors.mjs";
//   const weights = tensor([3, 2], new Float64Array(6));
//   const reply = await post(address + "/v1/forward", { network: { layers: [{ weights, activation: "relu" }] }, ... });
//   reply.outputs.shape, reply.outputs.data        // a Float64Array over the bytes received
//
// Where a key is needed, it is the third argument: { Authorization: "Bearer gradmark_…" }.

export const MEDIA_TYPE = "application/vnd.gradmark.tensors";

const DATATYPES = new Map([
  [Float64Array, "FP64"],
  [Float32Array, "FP32"],
  [BigInt64Array, "INT64"],
  [Int32Array, "INT32"],
]);

export class Tensor {
  constructor(shape, data) {
    this.shape = shape;
    this.data = data;
  }
}

export const tensor = (shape, data) => new Tensor(shape, data);

export function encode(body) {
  const arrays = [];
  const head = new TextEncoder().encode(
    JSON.stringify(body, (key, value) => {
      if (!(value instanceof Tensor)) return value;
      arrays.push(value.data);
      const datatype = DATATYPES.get(value.data.constructor);
      return { datatype, shape: value.shape, parameters: { binary_data_size: value.data.byteLength } };
    }),
  );
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(head.byteLength), true);
  return new Blob([length, head, ...arrays]);
}

export function decode(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  let start = 8 + length;
  // a reviver comes to the arrays in the order in which they stand
  return JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)), (key, value) => {
    if (value?.datatype !== "FP64") return value;
    const size = value.parameters.binary_data_size;
    const data = new Float64Array(buffer, start, size / 8);
    start += size;
    return new Tensor(value.shape, data);
  });
}

export async function post(url, body, headers = {}) {
  const forms = { "Content-Type": MEDIA_TYPE, Accept: MEDIA_TYPE };
  const reply = await fetch(url, { method: "POST", headers: { ...headers, ...forms }, body: encode(body) });
  // where the first error is, and what it is
  if (!reply.ok) throw new Error((await reply.json()).detail);
  return decode(await reply.arrayBuffer());
}
