// What Streamlit calls to mount a component, and again with all new data.

/**
 * @template Data what the component is sent
 * @template Answer what it sends back
 * @typedef {object} Component
 * @property {Element} element
 * @property {(data: Data) => void} receive
 * @property {() => void} close
 * @property {(answer: Answer) => void} [send] set here
 */

/**
 * @template Data
 * @template Answer
 * @typedef {object} Call what Streamlit hands over
 * @property {HTMLElement} parentElement
 * @property {Data} [data]
 * @property {(name: string, answer: Answer) => void} [setStateValue] for an answer that stays
 * @property {(name: string, answer: Answer) => void} [setTriggerValue] for one that counts once
 */

/**
 * Return the function to export: it keeps one component for each place on the page, as long as its element is there.
 * @template {Element} Kind
 * @template Data
 * @template Answer
 * @param {(root: ParentNode) => Kind} findElement
 * @param {(element: Kind) => Component<Data, Answer>} create
 * @param {(call: Call<Data, Answer>) => ((answer: Answer) => void) | undefined} findSend
 * @returns {(call: Call<Data, Answer>) => () => void} the function that Streamlit calls to clean up
 */
export function mounter(findElement, create, findSend = () => undefined) {
  /** @type {WeakMap<Element, Component<Data, Answer>>} */
  const mounted = new WeakMap();
  return (call) => {
    const { parentElement, data } = call;
    const element = findElement(parentElement);
    let component = mounted.get(parentElement);
    if (component?.element !== element) {
      component?.close();
      component = create(element);
      mounted.set(parentElement, component);
    }
    const current = component;
    current.send = findSend(call);
    if (data !== undefined && data !== null) current.receive(data);
    // Streamlit also cleans up after a call that newer data overtook: then the element is still there, and it goes on.
    return () =>
      void setTimeout(() => {
        if (element.isConnected) return;
        current.close();
        if (mounted.get(parentElement) === current) mounted.delete(parentElement);
      });
  };
}
