"""What hooks into loops and files of Keras, once an optimizer that needs it is made."""
