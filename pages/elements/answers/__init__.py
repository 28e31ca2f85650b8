"""Questions whose answer needs both the store and the statistics: selection in, frozen result out.

No Streamlit in here. What a curve, its table, its sentence and its footer say is one of these values;
one module for each kind of question.
"""
